/**
 * How the daemon starts and stops: without configuration, in a folder of its own, on the device that it was
 * told.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { runtimeDir as defaultRuntimeDir, uuidText } from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import {
  daemonProgram,
  driverUnderTest,
  lavapipe,
  plainEnvironment,
  startDaemon,
  startLineOf,
  temporaryFolder,
} from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

/** Runs the daemon until it ends by itself. */
function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return spawnSync(process.execPath, [daemonProgram, ...args], {
    encoding: 'utf8',
    env: { ...plainEnvironment(), VK_DRIVER_FILES: lavapipe(), ...env },
    timeout: 30_000,
  });
}

t.test('one line says what it serves', async (t) => {
  const { line, runtimeDir } = await startDaemon(t);
  t.match(line, /^vkmemd \d+\.\d+\.\d+ ready: /);
  t.match(line, /device .*llvmpipe.* \(cpu\)/, 'the device');
  t.match(line, /driver llvmpipe Mesa/, 'the driver');
  t.match(line, `${runtimeDir}/handoff.sock`, 'the sockets');
  t.match(line, `${runtimeDir}/control.sock`);
  t.match(line, /MAPPABLE VERIFIED/, 'the kinds and their rungs');
  t.match(line, /OPAQUE_FD VERIFIED/);
  t.match(line, /DMA_BUF UNSUPPORTED/);
  t.match(line, /RDMA_ADDRESS UNSUPPORTED/);
  for (const socket of ['handoff.sock', 'control.sock']) {
    t.equal(statSync(join(runtimeDir, socket)).mode & 0o777, 0o660, `${socket} is for its user and group`);
  }
});

t.test('one instance lives in a folder', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const second = run(['--runtime-dir', runtimeDir]);
  t.equal(second.status, 1);
  t.match(second.stderr, /Another vkmemd lives in/);
  const wire = await HandoffWire.open(runtimeDir);
  wire.close();
  t.pass('the first one still serves');
});

t.test('sockets that a killed instance left are removed', async (t) => {
  const runtimeDir = temporaryFolder(t);
  const first = await startDaemon(t, { runtimeDir });
  await first.stop('SIGKILL');
  t.ok(existsSync(join(runtimeDir, 'handoff.sock')), 'the killed one left its sockets');
  const second = await startDaemon(t, { runtimeDir });
  const wire = await HandoffWire.open(second.runtimeDir);
  t.ok(wire.welcome.sessionToken);
  wire.close();
});

t.test('a folder that does not exist is made; one that cannot be is refused', async (t) => {
  const runtimeDir = join(temporaryFolder(t), 'made', 'for', 'it');
  await startDaemon(t, { runtimeDir });
  t.ok(statSync(runtimeDir).isDirectory());
  const file = join(temporaryFolder(t), 'file');
  writeFileSync(file, '');
  const refused = run(['--runtime-dir', file]);
  t.equal(refused.status, 1);
  t.match(refused.stderr, /runtime folder .* cannot be used/);
  t.equal(run(['--runtime-dir', '/proc/nowhere/at/all']).status, 1, 'and so is one below /proc');
  const long = join(temporaryFolder(t), 'x'.repeat(120));
  mkdirSync(long);
  t.match(run(['--runtime-dir', long]).stderr, /107/, 'a socket path that is too long is said to be');
});

t.test('where the runtime folder is', async (t) => {
  const env = { RUNTIME_DIRECTORY: '/run/a:/run/b', XDG_RUNTIME_DIR: '/run/user/7' };
  t.equal(defaultRuntimeDir('/x/y', env), '/x/y', '--runtime-dir first');
  t.equal(defaultRuntimeDir(undefined, env), '/run/a', "then systemd's");
  t.equal(defaultRuntimeDir(undefined, { XDG_RUNTIME_DIR: '/run/user/7' }), '/run/user/7/vkmemd');
  t.equal(defaultRuntimeDir(undefined, {}), '/run/vkmemd');
  const folder = temporaryFolder(t);
  const { line } = await startDaemon(t, { runtimeDir: folder, env: { RUNTIME_DIRECTORY: '/nowhere' } });
  t.match(line, folder);
});

t.test('the device can be chosen', async (t) => {
  const { runtimeDir } = await startDaemon(t, { args: ['--device', 'LLVMpipe'] });
  const control = new ControlWire(runtimeDir);
  const [device] = (await control.call('ListDevices', {})).devices;
  control.close();
  const uuid = uuidText(device?.deviceUuid ?? Buffer.alloc(16));
  t.match((await startDaemon(t, { args: ['--device', uuid] })).line, /llvmpipe/, 'by UUID');
  t.match((await startDaemon(t, { args: ['--device', '0'] })).line, /llvmpipe/, 'by index');
  const refused = run(['--runtime-dir', temporaryFolder(t), '--device', 'no such card']);
  t.equal(refused.status, 1);
  t.match(refused.stderr, /llvmpipe/, 'a device that is not there: it says which are');
});

t.test('without a driver it says what to install', async (t) => {
  const refused = run(['--runtime-dir', temporaryFolder(t)], { VK_DRIVER_FILES: '/nonexistent.json' });
  t.equal(refused.status, 1);
  t.match(refused.stderr, /UNAVAILABLE/);
  t.match(refused.stderr, /mesa-vulkan-drivers/);
});

t.test('help, version, arguments that mean nothing', async (t) => {
  const help = run(['--help']);
  t.equal(help.status, 0);
  for (const option of ['--device', '--runtime-dir', '--log-level', 'SIGTERM']) t.match(help.stdout, option);
  t.match(run(['--version']).stdout, /^\d+\.\d+\.\d+\n$/);
  t.equal(run(['--no-such-option']).status, 64);
  t.equal(run(['--log-level', 'loud']).status, 64);
});

t.test('a signal at any moment of the start ends it well', async (t) => {
  for (const when of ['at once', 'with the start line'] as const) {
    const runtimeDir = temporaryFolder(t);
    const child = spawn(process.execPath, [daemonProgram, '--runtime-dir', runtimeDir], {
      env: { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise((resolve) => child.once('exit', (...how) => resolve(how)));
    const lock = join(runtimeDir, 'vkmemd.lock');
    const lines = createInterface({ input: child.stdout });
    if (when === 'with the start line')
      lines.on('line', (line) => startLineOf(line) && child.kill('SIGTERM'));
    else {
      // The lock is the first thing that a start takes.
      while (!existsSync(lock)) await new Promise((resolve) => setTimeout(resolve, 5));
      child.kill('SIGTERM');
    }
    t.strictSame(await ended, [0, null], `a SIGTERM ${when}`);
    t.notOk(existsSync(join(runtimeDir, 'handoff.sock')), 'the sockets are gone');
  }
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} releases everything`, async (t) => {
    const daemon = await startDaemon(t);
    const wire = await HandoffWire.open(daemon.runtimeDir);
    const kinds = ['KIND_MAPPABLE'] as const;
    const request = { sizeBytes: 65_536n, kinds, grantKinds: kinds };
    const held = await wire.ask({ allocate: { ...request, name: 'held' } });
    const pending = wire.ask({ allocate: { ...request, sizeBytes: 64n << 20n } });
    const end = daemon.stop(signal);
    const answer = await pending.catch((error: Error) => error);
    if (answer instanceof Error)
      t.match(answer, { code: 'UNAVAILABLE' }, 'a request that came too late is told so');
    else t.ok(answer.message.allocate, 'a request under way was finished');
    t.strictSame(await end, { code: 0, signal: null });
    t.match((await wire.closed).at(-1)?.message.error?.message ?? 'UNAVAILABLE', /UNAVAILABLE|stopping/);
    t.notOk(existsSync(join(daemon.runtimeDir, 'control.sock')), 'the sockets are gone');
    for (const fd of [...held.fds, ...(answer instanceof Error ? [] : answer.fds)]) fd.close();
    wire.close();
  });
}
