/**
 * Start and stop of the daemon: without a configuration, in a runtime folder of its own, on the selected
 * device.
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

t.test('the start line describes the daemon', async (t) => {
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
    t.equal(
      statSync(join(runtimeDir, socket)).mode & 0o777,
      0o660,
      `only its user and group can open ${socket}`,
    );
  }
});

t.test('a second instance in the same folder is refused', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const second = run(['--runtime-dir', runtimeDir]);
  t.equal(second.status, 1);
  t.match(second.stderr, /Another vkmemd uses/);
  const wire = await HandoffWire.open(runtimeDir);
  wire.close();
  t.pass('the first one still serves');
});

t.test('sockets of a killed instance are removed', async (t) => {
  const runtimeDir = temporaryFolder(t);
  const first = await startDaemon(t, { runtimeDir });
  await first.stop('SIGKILL');
  t.ok(existsSync(join(runtimeDir, 'handoff.sock')), 'the killed instance left its sockets');
  const second = await startDaemon(t, { runtimeDir });
  const wire = await HandoffWire.open(second.runtimeDir);
  t.ok(wire.welcome.sessionToken);
  wire.close();
});

t.test('a missing runtime folder is created; a start fails if it cannot be created', async (t) => {
  const runtimeDir = join(temporaryFolder(t), 'made', 'for', 'it');
  await startDaemon(t, { runtimeDir });
  t.ok(statSync(runtimeDir).isDirectory());
  const file = join(temporaryFolder(t), 'file');
  writeFileSync(file, '');
  const refused = run(['--runtime-dir', file]);
  t.equal(refused.status, 1);
  t.match(refused.stderr, /runtime folder .* cannot be used/);
  t.equal(run(['--runtime-dir', '/proc/nowhere/at/all']).status, 1, 'a folder below /proc cannot be created');
  const long = join(temporaryFolder(t), 'x'.repeat(120));
  mkdirSync(long);
  t.match(run(['--runtime-dir', long]).stderr, /107/, 'the error states the maximum length of a socket path');
});

t.test('the runtime folder is taken from --runtime-dir, systemd or the default', async (t) => {
  const env = { RUNTIME_DIRECTORY: '/run/a:/run/b', XDG_RUNTIME_DIR: '/run/user/7' };
  t.equal(defaultRuntimeDir('/x/y', env), '/x/y', '--runtime-dir has precedence');
  t.equal(defaultRuntimeDir(undefined, { ...env, VKMEMD_RUNTIME_DIR: '/z' }), '/z', 'then the own variable');
  t.equal(defaultRuntimeDir(undefined, env), '/run/a', "then systemd's RUNTIME_DIRECTORY");
  t.equal(defaultRuntimeDir(undefined, { XDG_RUNTIME_DIR: '/run/user/7' }), '/run/user/7/vkmemd');
  for (const none of ['', '.', 'run/user/7', '../x']) {
    t.equal(defaultRuntimeDir(undefined, { XDG_RUNTIME_DIR: none }), '/run/vkmemd', `'${none}' is ignored`);
  }
  t.equal(defaultRuntimeDir(undefined, {}), '/run/vkmemd');
  const folder = temporaryFolder(t);
  const { line } = await startDaemon(t, { runtimeDir: folder, env: { RUNTIME_DIRECTORY: '/nowhere' } });
  t.match(line, folder);
});

t.test('--device selects the device', async (t) => {
  const { runtimeDir } = await startDaemon(t, { args: ['--device', 'LLVMpipe'] });
  const control = new ControlWire(runtimeDir);
  const [device] = (await control.call('ListDevices', {})).devices;
  control.close();
  const uuid = uuidText(device?.deviceUuid ?? Buffer.alloc(16));
  t.match((await startDaemon(t, { args: ['--device', uuid] })).line, /llvmpipe/, 'by UUID');
  t.match((await startDaemon(t, { args: ['--device', '0'] })).line, /llvmpipe/, 'by index');
  const refused = run(['--runtime-dir', temporaryFolder(t), '--device', 'no such card']);
  t.equal(refused.status, 1);
  t.match(refused.stderr, /llvmpipe/, 'a device that does not exist: the error lists the devices');
});

t.test('without a driver the error names the packages to install', async (t) => {
  const refused = run(['--runtime-dir', temporaryFolder(t)], { VK_DRIVER_FILES: '/nonexistent.json' });
  t.equal(refused.status, 1);
  t.match(refused.stderr, /UNAVAILABLE/);
  t.match(refused.stderr, /mesa-vulkan-drivers/);
});

t.test('--help, --version and invalid arguments', async (t) => {
  const help = run(['--help']);
  t.equal(help.status, 0);
  for (const option of ['--device', '--runtime-dir', '--log-level', 'SIGTERM']) t.match(help.stdout, option);
  t.match(run(['--version']).stdout, /^\d+\.\d+\.\d+ \(Node\.js 24\.\d+\.\d+\)\n$/);
  t.equal(run(['--no-such-option']).status, 64);
  t.equal(run(['--log-level', 'loud']).status, 64);
});

t.test('a signal at any moment of the start ends the daemon without an error', async (t) => {
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
      // A start takes the lock first.
      while (!existsSync(lock)) await new Promise((resolve) => setTimeout(resolve, 5));
      child.kill('SIGTERM');
    }
    t.strictSame(await ended, [0, null], `SIGTERM ${when}`);
    t.notOk(existsSync(join(runtimeDir, 'handoff.sock')), 'the sockets are removed');
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
      t.match(answer, { code: 'UNAVAILABLE' }, 'a request that came too late is refused');
    else t.ok(answer.message.allocate, 'a request in progress was completed');
    t.strictSame(await end, { code: 0, signal: null });
    t.match((await wire.closed).at(-1)?.message.error?.message ?? 'UNAVAILABLE', /UNAVAILABLE|stopping/);
    t.notOk(existsSync(join(daemon.runtimeDir, 'control.sock')), 'the sockets are removed');
    for (const fd of [...held.fds, ...(answer instanceof Error ? [] : answer.fds)]) fd.close();
    wire.close();
  });
}
