/**
 * Debian packages: those that a purpose needs, and those without which tests are skipped. Missing packages
 * are installed; with VKMEMD_NO_INSTALL=1 nothing is installed. The set-up fails if a needed package is not
 * available.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { clangWithFuzzer } from './clang.mjs';
import { EX_UNAVAILABLE, fail, root, run, say } from './command.mjs';
import { pythonWithProtobuf } from './python.mjs';

const onPath = (command) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, command)));

function hasLibrary(name) {
  const folders = ['/usr/lib', '/usr/lib64', '/usr/local/lib', '/lib'];
  const triplets = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
  return folders.some(
    (f) => existsSync(join(f, name)) || existsSync(join(f, triplets[process.arch] ?? '', name)),
  );
}

function hasDriver(pattern, purpose) {
  if (purpose !== 'test' && (process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES)) return true;
  return ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d'].some(
    (folder) => existsSync(folder) && readdirSync(folder).some((file) => pattern.test(file)),
  );
}

/** The other processor that packages are built for: its name in GNU's triplets, and Debian's. */
const [OTHER, OTHER_DEBIAN] = process.arch === 'x64' ? ['aarch64', 'arm64'] : ['x86_64', 'amd64'];
const CROSS_TOOLS = {
  [`binutils-${OTHER.replaceAll('_', '-')}-linux-gnu`]: () => onPath(`${OTHER}-linux-gnu-strip`),
  // It installs zig.
  'python3-pip': () => spawnSync('python3', ['-m', 'pip', '--version']).status === 0,
};
/** Without them a package for it has no cached data of V8. */
const EMULATOR = {
  [`qemu-user libc6-${OTHER_DEBIAN}-cross libstdc++6-${OTHER_DEBIAN}-cross`]: () =>
    (onPath(`qemu-${OTHER}`) || onPath(`qemu-${OTHER}-static`)) &&
    existsSync(`/usr/${OTHER}-linux-gnu/lib/libstdc++.so.6`),
};

const hasQemu = () => onPath('qemu-system-x86_64');
const CHROMIUM = ['vk_swiftshader_icd.json', 'libVkICD_mock_icd.so'].map((f) => `/usr/lib/chromium/${f}`);

/** The needed Debian packages, each with a function that returns whether it (or an equivalent) is present. */
const needed = (purpose) => ({
  python3: () => onPath('python3'),
  make: () => onPath('make'),
  'g++': () => onPath('g++'),
  'libvulkan-dev': () => existsSync('/usr/include/vulkan/vulkan.h'),
  libvulkan1: () => hasLibrary('libvulkan.so.1'),
  'mesa-vulkan-drivers': () => hasDriver(/^lvp_icd/, purpose),
  ...(['demo', 'demo-vm', 'test'].includes(purpose) && { bubblewrap: () => onPath('bwrap') }),
  ...(purpose === 'demo-vm' && { 'qemu-system-x86': hasQemu }),
  ...(purpose === 'package-crossed' && CROSS_TOOLS),
  ...(purpose === 'lint' && { 'clang-format': () => onPath('clang-format'), git: () => onPath('git') }),
});

/**
 * The same for packages that may be missing: without them tests are skipped, or less is measured. Ubuntu has no chromium-common.
 */
const wanted = (purpose) =>
  purpose === 'test'
    ? {
        ...CROSS_TOOLS,
        ...EMULATOR,
        'chromium-common': () => CHROMIUM.every((file) => existsSync(file)),
        'clang libclang-rt-dev': () => clangWithFuzzer() !== undefined,
        debootstrap: () => onPath('debootstrap'),
        'libibverbs-dev': () => existsSync('/usr/include/infiniband/verbs.h'),
        lintian: () => onPath('lintian'),
        ...(process.arch === 'x64' && { 'qemu-system-x86': hasQemu }),
        groff: () => onPath('groff'),
        'python3-protobuf': () => pythonWithProtobuf() !== undefined,
        strace: () => onPath('strace'),
        systemd: () => onPath('systemd-analyze'),
      }
    : {
        ...(purpose === 'package-crossed' && EMULATOR),
        ...(purpose === 'bench' && { 'redis-server': () => onPath('redis-server') }),
      };

const missingOf = (list) => Object.keys(list).filter((name) => !list[name]());
const asRoot = process.getuid?.() === 0;

/** The reason why nothing can be installed; undefined if packages can be installed. */
function noInstall() {
  if (process.env.VKMEMD_NO_INSTALL === '1') return 'VKMEMD_NO_INSTALL=1 is set';
  if (!onPath('apt-get')) {
    return 'apt-get is missing: install the packages that correspond to these Debian packages';
  }
  const may = asRoot || spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
  return may ? undefined : 'neither root nor `sudo -n` is available';
}

async function apt(what, args, failed) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const [command, prefix] = asRoot
    ? ['apt-get', []]
    : ['sudo', ['-n', 'DEBIAN_FRONTEND=noninteractive', 'apt-get']];
  await run(what, command, [...prefix, ...args], { env, failed });
}

let listsRead = false;

/**
 * Installs packages; calls `failed` if apt-get fails. If the package lists cannot be updated, the old ones
 * are used.
 */
async function install(names, failed) {
  const unread = () => say('the package lists could not be updated');
  if (!listsRead) await apt('updating the package lists', ['update', '-qq'], unread);
  listsRead = true;
  const args = ['install', '-y', '-qq', '--no-install-recommends', ...names];
  await apt(`installing ${names.join(', ')}`, args, failed);
}

async function installNeeded(purpose) {
  const list = needed(purpose);
  const missing = missingOf(list);
  if (missing.length === 0) return;
  const line = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  const ask = (why) => fail(`missing: ${missing.join(', ')} (${why}). Run: sudo ${line}`, EX_UNAVAILABLE);
  const why = noInstall();
  if (why) ask(why);
  await install(missing, () => ask('apt-get failed, see above'));
  const still = missingOf(list);
  if (still.length > 0) fail(`installed but not usable: ${still.join(', ')}`, EX_UNAVAILABLE);
}

/** What happens without a wanted package. */
const WITHOUT = {
  bench: 'what needs it is not measured',
  test: 'tests that need it are skipped',
  'package-crossed': 'the package has no cached data of V8',
};

/** After a failure of apt-get the package is not tried again in this checkout. */
async function installWanted(purpose) {
  const list = wanted(purpose);
  const tried = join(root, '.setup', 'not-installed');
  for (const names of missingOf(list)) {
    const note = (why) => say(`${names} is missing (${why}): ${WITHOUT[purpose]}`);
    const before = existsSync(tried) && readFileSync(tried, 'utf8').split('\n').includes(names);
    const why = before ? `it could not be installed before; remove ${tried} to try again` : noInstall();
    if (why) {
      note(why);
      continue;
    }
    await install(names.split(' '), () => note('apt-get failed, see above'));
    if (list[names]()) continue;
    mkdirSync(dirname(tried), { recursive: true });
    appendFileSync(tried, `${names}\n`);
  }
}

/** @param purpose build, demo, demo-vm, test, bench, lint, package or package-crossed. */
export async function installPackages(purpose) {
  await installNeeded(purpose);
  await installWanted(purpose);
}
