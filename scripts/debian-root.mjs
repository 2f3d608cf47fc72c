/**
 * Roots of stock Debian systems for tests: .setup/roots/NAME-DIGEST.tar, as debootstrap makes them, with more
 * packages. Those of the tests of the package have LLVM, but no package that vkmemd's depends on; those of the
 * lab are described in scripts/lab/systems.mjs. They are made of the mirror that this machine uses, and anew
 * after a week; where that fails, the older one stays.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { root, run, say } from './command.mjs';
import { digest } from './inputs.mjs';

/**
 * For the tests of the package, with the part of a Vulkan driver that takes as long to install as everything else.
 */
export const BARE_ROOTS = [
  { name: 'bookworm', suite: 'bookworm', packages: ['libllvm15'] },
  { name: 'trixie', suite: 'trixie', packages: ['libllvm19'] },
];
const FOLDER = '.setup/roots';
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;
/** Of a folder that another run has not finished. */
const MAX_UNFINISHED_MS = 3600 * 1000;
/** For a root: one takes 40 s, one of the lab twice as long. A mirror may not answer. */
const MAX_S = 600;
/** How this machine reaches its mirror; the sources are those that debootstrap writes. */
export const NETWORK = ['/etc/apt/apt.conf', '/etc/apt/apt.conf.d', '/etc/resolv.conf', '/etc/hosts'];

/**
 * Makes a root in memory, in a mount namespace of its own that ends with it, and stores it.
 * $0: an empty folder; $1: suite; $2: mirror; $3: the file; $4: a log; $5: packages; then the files of the network.
 */
const MAKE = `
set -eu
suite=$1 mirror=$2 file=$3 log=$4 packages=$5
shift 5
exec 3>&2 >"$log" 2>&1
trap '[ $? = 0 ] || tail -n 20 "$log" >&3' EXIT
mount -t tmpfs -o mode=0755,size=2g tmpfs "$0"
debootstrap --variant=minbase "$suite" "$0" "$mirror"
# dpkg need not wait for the disk: nothing of it must outlive a crash of the machine.
echo force-unsafe-io >"$0/etc/dpkg/dpkg.cfg.d/unsafe-io"
for path; do [ ! -e "$path" ] || cp -rL --parents "$path" "$0"; done
mount -t proc proc "$0/proc"
mount --bind /dev "$0/dev"
inside() {
  chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}
inside apt-get update -qq
inside apt-get install -y -qq --no-install-recommends $packages
inside apt-get clean
for path; do rm -rf "$0$path"; done
tar --one-file-system --numeric-owner -C "$0" -cf "$file" .
`;

/** The first mirror in a file of apt's sources, in either format. */
const mirrorIn = (text) => /^deb (?:\[.*?\] )?(\S+) /m.exec(text)?.[1] ?? /^URIs: (\S+)/m.exec(text)?.[1];

/** The mirror that this machine uses; undefined if it is not Debian. */
function mirror() {
  const folder = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(folder) ? readdirSync(folder) : []).map((name) => join(folder, name)),
  ];
  return files
    .filter((file) => existsSync(file))
    .map((file) => mirrorIn(readFileSync(file, 'utf8')))
    .find((uri) => uri !== undefined && /debian/.test(uri));
}

/** The reason why no root can be made here; undefined where it can. */
export function noRoots() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const lacking = ['debootstrap', 'unshare'].find((name) => !folders.some((f) => existsSync(join(f, name))));
  if (lacking) return `there is no ${lacking}`;
  if (process.getuid() !== 0) return 'debootstrap needs root';
  return mirror() ? undefined : 'this machine has no Debian mirror';
}

/** Where a root is stored: under another name for another recipe or mirror. */
function fileOf({ name, suite, packages }) {
  const recipe = digest([], MAKE, suite, ...packages, mirror() ?? '', process.arch).slice(0, 12);
  return join(root, FOLDER, `${name}-${recipe}.tar`);
}

const ageMs = (file) => Date.now() - statSync(file).mtimeMs;

/** The folder, for root alone: programs in it have the set-user-ID bit, and may be old. Removes leftovers. */
function prepareFolder(name, file) {
  const folder = join(root, FOLDER);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder)) {
    const path = join(folder, entry);
    const isLeft = entry.startsWith('unfinished-') && ageMs(path) > MAX_UNFINISHED_MS;
    if (isLeft || (entry.startsWith(`${name}-`) && path !== file)) rmSync(path, { recursive: true });
  }
  return mkdtempSync(join(folder, 'unfinished-'));
}

/**
 * A root, as a tar file; made if there is none that is fresh.
 * @param recipe Its name, Debian's suite, and the packages that are installed beside those of `minbase`.
 * @throws Error if that fails and there is no older one.
 */
export async function debianRoot(recipe) {
  const { name, suite, packages } = recipe;
  const file = fileOf(recipe);
  if (existsSync(file) && ageMs(file) < MAX_AGE_MS) return file;
  const work = prepareFolder(name, file);
  const [mount, unfinished] = [join(work, 'mount'), join(work, 'tar')];
  mkdirSync(mount);
  const namespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child'];
  const arguments_ = [mount, suite, mirror(), unfinished, join(work, 'log'), packages.join(' '), ...NETWORK];
  const args = [String(MAX_S), ...namespaces, 'sh', '-c', MAKE, ...arguments_];
  let made = true;
  const failed = () => {
    made = false;
  };
  try {
    const env = { ...process.env, LC_ALL: 'C.UTF-8' };
    await run(`making the root ${name} of Debian ${suite}`, 'timeout', args, { env, failed });
    if (made) renameSync(unfinished, file);
  } finally {
    rmSync(work, { recursive: true });
  }
  if (!existsSync(file)) throw new Error(`the root ${name} of Debian ${suite} could not be made`);
  if (!made) say(`no new root ${name} of Debian ${suite} could be made: an older one is used`);
  return file;
}
