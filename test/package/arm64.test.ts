/**
 * The Debian package for arm64, which is built on x64: its fields and its binaries. Its programs run under
 * qemu-user, with the C library of Debian's packages for cross-building. There is no Vulkan loader among
 * these, so the daemon starts up to that.
 *
 * On an arm64 machine the other tests of this folder test this package.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { plainEnvironment, root, temporaryFolder } from '../support/daemon.js';
import { checkBinaries } from './binaries.js';
import { build, field, lacking, listed, noPackage, Unavailable } from './support.js';

const BUILD_MS = 1_500_000;
const LIBRARY = 'usr/lib/vkmemd';
const notCrossed = process.arch !== 'x64' && 'it is cross-built on x64 only';

/** The package's path, or the reason why it cannot be built here. */
function built(): { file: string; skip: string | false } {
  const reason = noPackage || notCrossed || lacking('python3', 'npm');
  if (reason) return { file: '', skip: reason };
  try {
    return { file: build('--arch', 'arm64'), skip: false };
  } catch (error) {
    if (error instanceof Unavailable) return { file: '', skip: error.message };
    throw error;
  }
}

t.setTimeout(BUILD_MS);
const { file, skip } = built();
const folder = temporaryFolder(t);
if (!skip) spawnSync('dpkg-deb', ['--extract', file, folder]);

/** The command that runs its Node.js, or the reason to skip. */
async function emulated(): Promise<{ command: string[]; skip: string | false }> {
  if (skip) return { command: [], skip };
  const { emulator } = await import(join(root, 'packaging/crossed.mjs'));
  const { platformOf } = await import(join(root, 'packaging/platform.mjs'));
  const { command, reason } = emulator(platformOf('arm64'));
  if (reason) return { command: [], skip: `the programs were not run: ${reason}` };
  return { command: [...command.slice(0, -1), join(folder, LIBRARY, 'bin/node')], skip: false };
}

const emulation = await emulated();

/** Runs a program of the package, or a script, on its Node.js. */
function run(...args: string[]) {
  const [program = '', ...words] = emulation.command;
  return spawnSync(program, [...words, ...args], { encoding: 'utf8', env: plainEnvironment() });
}
const vkmemd = join(folder, LIBRARY, 'daemon/bin/vkmemd.js');
const vkmemctl = join(folder, LIBRARY, 'client/typescript/bin/vkmemctl.js');

t.test('its fields', { skip }, async (t) => {
  t.equal(field('Architecture', file), 'arm64');
  const depends = field('Depends', file).split(', ');
  t.equal(depends[0], 'libvulkan1');
  for (const name of ['libc6', 'libgcc-s1', 'libstdc++6']) {
    t.equal(depends.filter((one) => one.startsWith(`${name} (>= `)).length, 1, `${name}: ${depends}`);
  }
  t.notMatch(depends.join(), /cross|:/, 'packages of the distribution itself');
});

t.test('its files', { skip }, async (t) => {
  const paths = listed(file).map(({ path }) => path);
  for (const addon of [
    'proto/native/build/Release/vkmem_proto.node',
    'proto/native/build/Release/vkmemd_front_launcher',
    'daemon/vulkan/native/build/Release/vkmem_vulkan.node',
    'daemon/vulkan/native/build/Release/vkmemd-cuda-export',
    'node_modules/unix-dgram/build/Release/unix_dgram.node',
    'node_modules/@lmdb/lmdb-linux-arm64/node.napi.glibc.node',
  ]) {
    t.ok(paths.includes(`/${LIBRARY}/${addon}`), addon);
  }
  if (!emulation.skip) {
    // The build leaves it out where V8 does not accept it again.
    t.equal(paths.filter((path) => path.endsWith('.v8-cache')).length, 4, "V8's cached data");
  }
  t.strictSame(
    paths.filter((path) => /x64|x86_64|amd64/.test(path)),
    [],
    'none for another processor',
  );
  const copyright = readFileSync(join(folder, 'usr/share/doc/vkmemd/copyright'), 'utf8');
  t.match(copyright, 'lmdb-linux-arm64');
  t.notMatch(copyright, /linux-x64/);
});

t.test('its binaries are for arm64 and run on all supported systems', { skip }, async (t) =>
  checkBinaries(t, folder, 'arm64'),
);

t.test('its programs run', { skip: emulation.skip, timeout: 120_000 }, async (t) => {
  const { version } = JSON.parse(readFileSync(join(root, 'daemon/package.json'), 'utf8'));
  t.match(run(vkmemd, '--version'), { status: 0, stdout: `${version} (Node.js ${process.versions.node})\n` });
  t.match(run(vkmemctl, '--version'), { status: 0, stdout: `${version}\n` });
  t.match(run(vkmemd, '--help'), { status: 0, stdout: /--runtime-dir/ });
  const example = join(folder, 'usr/share/doc/vkmemd/examples/vkmemd.toml');
  t.match(run(vkmemd, '--check-config', '--config', example), { status: 0, stdout: /The policy is valid/ });
  const wrong = join(temporaryFolder(t), 'wrong.toml');
  writeFileSync(wrong, 'nonsense = true\n');
  t.match(run(vkmemd, '--check-config', '--config', wrong), { status: 1, stdout: /wrong\.toml:1/ });
});

/**
 * A memfd, written through one mapping, sent over a socket, and read through a mapping of the received fd.
 */
const KERNEL = (kernel: string) => `
  import { mapFd } from '${kernel}/mapping.js';
  import { createMemfd } from '${kernel}/memfd.js';
  import { Connection, seqpacketPair } from '${kernel}/socket.js';
  const fd = await createMemfd('frames', 1n << 20n);
  const whole = { offset: 0n, length: 1 << 20, access: 'rw' };
  new Uint8Array(mapFd(fd, whole).buffer)[4096] = 7;
  const [one, other] = seqpacketPair();
  const sender = new Connection(one, { message() {}, close() {} }, {});
  const message = (data, [received]) => {
    console.log(process.arch, data.toString(), new Uint8Array(mapFd(received, whole).buffer)[4096]);
    process.exit();
  };
  new Connection(other, { message, close() {} }, { maxFds: 1 });
  sender.send(Buffer.from('frames'), [fd]);`;

t.test('its addons work', { skip: emulation.skip, timeout: 120_000 }, async (t) => {
  const module = KERNEL(join(folder, LIBRARY, 'proto/dist/kernel'));
  const { stdout, stderr } = run('--input-type=module', '--eval', module);
  t.equal(stdout, 'arm64 frames 7\n', stderr);
  const others = `
    const load = require('node:module').createRequire('${join(folder, LIBRARY)}/daemon/');
    console.log(typeof load('unix-dgram/build/Release/unix_dgram.node').socket);
    console.log(typeof load('@lmdb/lmdb-linux-arm64/node.napi.glibc.node').Env);`;
  t.match(run('--eval', others), { status: 0, stdout: 'function\nfunction\n' });
});

t.test('its daemon starts up to the Vulkan loader', { skip: emulation.skip, timeout: 120_000 }, async (t) => {
  const runtimeDir = join(temporaryFolder(t), 'run');
  mkdirSync(runtimeDir);
  const { status, stderr } = run(vkmemd, '--config', '/dev/null', '--runtime-dir', runtimeDir);
  t.equal(status, 1);
  t.match(stderr, /LOADER_MISSING \(libvulkan\.so\.1/, 'vkmem_proto and vkmem_vulkan are loaded');
});
