/** vkmemd --all: a daemon for each GPU of the host, under one process. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect, findDaemons } from '@vkmemd/client';
import t, { type Test } from 'tap';
import { until } from '../native/open-fds.js';
import {
  assertNoLeaks,
  daemonProgram,
  plainEnvironment,
  plainNode,
  requireNothing,
  temporaryFolder,
} from '../support/daemon.js';
import { noSecondGpu, TwoGpus } from '../support/two-gpus.js';
import { manager } from '../systemd/manager.js';

const PATIENCE_MS = 60_000;

interface Line {
  readonly msg: string;
  readonly name: string;
  readonly device?: string;
  readonly child?: number;
}

function startAll(t: Test, args: readonly string[], env: NodeJS.ProcessEnv) {
  const [command, rest] = plainNode([daemonProgram, '--all', '--supervisor-max', '500', ...args]);
  const process_ = spawn(command, rest, { env: { ...plainEnvironment(), ...env } });
  const lines: Line[] = [];
  createInterface({ input: process_.stdout }).on('line', (line) => {
    if (line.startsWith('{')) lines.push(JSON.parse(line) as Line);
  });
  process_.stderr.resume();
  const ended = new Promise<number | null>((resolve) => process_.once('exit', (code) => resolve(code)));
  t.teardown(async () => {
    process_.kill('SIGKILL');
    await ended;
  });
  const logged = (msg: string | RegExp) =>
    lines.filter((line) => (typeof msg === 'string' ? line.msg === msg : msg.test(line.msg)));
  return { pid: process_.pid ?? 0, kill: (signal: NodeJS.Signals) => process_.kill(signal), ended, logged };
}

t.test(
  'each GPU has a daemon; the end of one does not touch the others',
  { skip: noSecondGpu },
  async (t) => {
    const folder = temporaryFolder(t);
    const config = join(temporaryFolder(t), 'policy.toml');
    writeFileSync(config, '');
    const notify = join(temporaryFolder(t), 'notify');
    const systemd = manager(notify);
    t.teardown(() => systemd.close());
    const env = { ...new TwoGpus(t).environment, NOTIFY_SOCKET: notify };
    const all = startAll(t, ['--runtime-dir', folder, '--config', config], env);
    await until(() => systemd.messages.includes('READY=1'), PATIENCE_MS);
    t.ok(systemd.messages.includes('STATUS=2 of 2 daemons are ready.'));
    const daemons = findDaemons({ runtimeDir: folder });
    t.match(daemons, [
      { device: { index: 0, name: /^SwiftShader/ } },
      { device: { index: 1, name: /^llvmpipe/ } },
    ]);
    t.equal(daemons.length, 2);
    const places = daemons.map(({ runtimeDir }) => runtimeDir);
    t.strictSame(
      places,
      daemons.map(({ uuid }) => join(folder, 'devices', uuid ?? '')),
    );
    const maps = readFileSync(`/proc/${all.pid}/maps`, 'utf8');
    t.notMatch(maps, /libvulkan|libvk_swiftshader/, 'the parent has no driver');
    const open = readdirSync(`/proc/${all.pid}/fd`).flatMap((fd) => {
      try {
        return readlinkSync(`/proc/${all.pid}/fd/${fd}`);
      } catch {
        return [];
      }
    });
    t.notOk(
      open.some((path) => /^\/dev\/(dri|nvidia)/.test(path)),
      'and no device',
    );

    await using first = await connect({ runtimeDir: folder, device: 1 });
    await using second = await connect({ runtimeDir: folder, device: 0 });
    await using kept = await first.allocate({ size: 4096, name: 'kept' });
    await using other = await second.allocate({ size: 4096, name: 'other', kinds: ['OPAQUE_FD'] });
    kept.map().bytes.fill(7);
    const reconnected: string[] = [];
    first.on('reconnected', () => reconnected.push('first'));
    second.on('reconnected', () => reconnected.push('second'));
    const child = all
      .logged('the daemon was started')
      .find(({ device }) => device === daemons[1]?.uuid)?.child;
    process.kill(child ?? 0, 'SIGKILL');
    await until(() => reconnected.length > 0, PATIENCE_MS);
    t.strictSame(reconnected, ['first']);
    t.equal(kept.map().bytes[0], 7);
    t.match(await first.control.list(), [{ id: kept.allocation.id }], 'its memory stays');
    t.match(await second.control.list(), [{ id: other.allocation.id }]);
    t.match(
      all.logged('the daemon was started').map(({ device }) => device),
      { length: 3 },
      'one was started again',
    );

    all.kill('SIGHUP');
    await until(() => all.logged('the policy was reloaded').length === 2, PATIENCE_MS);
    await kept.free();
    await other.free();
    await Promise.all([first.close(), second.close()]);
    for (const place of places) await assertNoLeaks(t, place);
    t.equal(systemd.messages.filter((text) => text === 'READY=1').length, 1);
    all.kill('SIGTERM');
    t.equal(await all.ended, 0);
    t.ok(systemd.messages.includes('STOPPING=1'));
    for (const place of places) {
      const left = readdirSync(place).filter((name) => !['supervisor', 'vkmemd.lock'].includes(name));
      t.strictSame(left, [], 'sockets, ledger and description are removed');
    }
  },
);

t.test('SIGUSR2 restarts all with their memory', { skip: noSecondGpu }, async (t) => {
  const folder = temporaryFolder(t);
  const all = startAll(t, ['--runtime-dir', folder], new TwoGpus(t, []).environment);
  await until(() => all.logged('the daemon is ready').length === 2, PATIENCE_MS);
  t.match(findDaemons({ runtimeDir: folder }), [{ device: { type: 'cpu' } }, { device: { type: 'cpu' } }]);
  await using client = await connect({ runtimeDir: folder, device: 'llvmpipe' });
  await using memory = await client.allocate({ size: 4096, name: 'kept' });
  all.kill('SIGUSR2');
  await until(() => all.logged('the daemon is ready').length === 4, PATIENCE_MS);
  t.match(await client.control.get({ name: 'kept' }), { id: memory.allocation.id });
  await memory.free();
  await client.close();
  for (const { runtimeDir } of findDaemons({ runtimeDir: folder })) {
    await until(() => existsSync(join(runtimeDir, 'control.sock')), PATIENCE_MS);
    await requireNothing(runtimeDir);
  }
  all.kill('SIGTERM');
  t.equal(await all.ended, 0);
});

t.test(
  'faults that all daemons have end it, and options of one are refused',
  { skip: noSecondGpu },
  async (t) => {
    const folder = temporaryFolder(t);
    const env = { ...plainEnvironment(), ...new TwoGpus(t).environment };
    const run = (args: readonly string[], more: NodeJS.ProcessEnv = {}) => {
      const [command, rest] = plainNode([daemonProgram, ...args]);
      return spawnSync(command, rest, { encoding: 'utf8', env: { ...env, ...more }, timeout: PATIENCE_MS });
    };
    const at = ['--all', '--supervisor-max', '10', '--runtime-dir', folder];
    t.match(run([...at, '--no-such-option']), { status: 64, stderr: /unknown option '--no-such-option'/ });
    t.match(run([...at, '--config', '/nowhere.toml']), { status: 78, stderr: /POLICY_INVALID/ });
    t.match(run([...at, '--device', '0']), { status: 64, stderr: /--device cannot be used with --all/ });
    t.match(run([...at, '--admin-listen=127.0.0.1:9464']), { status: 64, stderr: /cannot share a port/ });
    t.match(run([...at, '--supervisor-max', '900000']), {
      status: 64,
      stderr: /Storing 900000 fds for each of 2 daemons requires RLIMIT_NOFILE 1800512/,
    });
    t.match(run(['--with-cpu']), { status: 64, stderr: /--with-cpu needs --all/ });
    t.match(run(['--supervisor', '--with-cpu']), { status: 64, stderr: /--with-cpu needs --all/ });
    t.match(run([...at, '--check-config']), { status: 64, stderr: /prints and exits/ });
    t.match(run(at, { VK_DRIVER_FILES: '/nowhere.json' }), {
      status: 1,
      stderr: /^vkmemd: UNAVAILABLE: No Vulkan driver was found/m,
    });
    const shell = [
      '-c',
      'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3</dev/null',
      'sh',
      process.execPath,
      daemonProgram,
    ];
    const passed = spawnSync('sh', [...shell, ...at], { encoding: 'utf8', env, timeout: PATIENCE_MS });
    t.match(passed, { status: 78, stderr: /INVALID_ARGUMENT: LISTEN_FDS: .*vkmemd@UUID\.service/ });
  },
);
