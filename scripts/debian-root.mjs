/**
 * Roots of stock Debian systems for the tests of the package: .setup/roots/SUITE.tar, as debootstrap makes
 * them, with a Vulkan driver. They are made of the mirror that this machine uses, and anew after a week.
 */
import {
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
import { root, run } from './command.mjs';

export const SUITES = ['bookworm', 'trixie'];
const FOLDER = '.setup/roots';
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;
/** With it comes LLVM: it takes as long to install as all that the package needs. */
const INSTALLED = ['mesa-vulkan-drivers'];
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
mount -t tmpfs -o mode=0755 tmpfs "$0"
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

const isFresh = (file) => existsSync(file) && Date.now() - statSync(file).mtimeMs < MAX_AGE_MS;

/** The root of a suite, as a tar file; made if there is none that is fresh. @throws Error if that fails. */
export async function debianRoot(suite) {
  const file = join(root, FOLDER, `${suite}.tar`);
  if (isFresh(file)) return file;
  // In it are programs with the set-user-ID bit, which may be old: it is for root alone.
  mkdirSync(join(root, FOLDER), { recursive: true, mode: 0o700 });
  const work = mkdtempSync(join(root, FOLDER, 'unfinished-'));
  const [mount, unfinished] = [join(work, 'mount'), join(work, 'tar')];
  mkdirSync(mount);
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child'];
  const args = [mount, suite, mirror(), unfinished, join(work, 'log'), INSTALLED.join(' '), ...NETWORK];
  const env = { ...process.env, LC_ALL: 'C.UTF-8' };
  const failed = () => {
    throw new Error(`no root of Debian ${suite} could be made`);
  };
  try {
    const options = { env, failed };
    await run(
      `making a root of Debian ${suite}`,
      'unshare',
      [...namespaces, 'sh', '-c', MAKE, ...args],
      options,
    );
    renameSync(unfinished, file);
    return file;
  } finally {
    rmSync(work, { recursive: true });
  }
}
