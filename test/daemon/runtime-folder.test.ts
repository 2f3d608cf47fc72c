/**
 * The runtime folder: one daemon at a time, which removes nothing that is not its own, and who else can write
 * there.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatagramReceiver, Listener, listenAt } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import {
  daemonProgram,
  lavapipe,
  plainEnvironment,
  startDaemon,
  temporaryFolder,
} from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';

// Each starts several daemons.
t.setTimeout(300_000);

const SOCKETS = ['handoff.sock', 'control.sock', 'admin.sock'] as const;

/** Starts a daemon that is expected to end by itself. */
function refused(t: Test, runtimeDir: string, env: NodeJS.ProcessEnv = {}, message = ''): string {
  const args = [daemonProgram, '--runtime-dir', runtimeDir, '--config', '/dev/null'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...plainEnvironment(), VK_DRIVER_FILES: lavapipe(), ...env },
    timeout: 30_000,
  });
  t.equal(status, 1, message || stderr.trim());
  t.notMatch(stderr, /\n\s+at /, 'without a stack');
  return stdout + stderr;
}

async function serves(t: Test, runtimeDir: string): Promise<void> {
  const wire = await HandoffWire.open(runtimeDir);
  t.ok(wire.welcome.sessionToken, 'the first daemon still serves');
  wire.close();
}

t.test('a lock whose file was removed lets no second daemon in', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const lock = join(runtimeDir, 'vkmemd.lock');
  rmSync(lock);
  t.match(refused(t, runtimeDir), /Another vkmemd uses/, 'without the file');
  rmSync(lock);
  symlinkSync('/nonexistent/elsewhere', lock);
  refused(t, runtimeDir, {}, 'a link in its place');
  rmSync(lock);
  writeFileSync(join(runtimeDir, 'other'), '');
  renameSync(join(runtimeDir, 'other'), lock);
  t.match(refused(t, runtimeDir), /Another vkmemd uses/, 'another file in its place');
  const link = join(temporaryFolder(t), 'link');
  symlinkSync(runtimeDir, link);
  t.match(refused(t, link), /Another vkmemd uses/, 'by another path');
  await serves(t, runtimeDir);
});

t.test('the lock on the folder holds without any file in it', async (t) => {
  const first = await startDaemon(t, { unchecked: true });
  for (const name of ['vkmemd.lock', ...SOCKETS]) rmSync(join(first.runtimeDir, name));
  t.match(refused(t, first.runtimeDir), /Another vkmemd uses/);
  await first.stop();
  const second = await startDaemon(t, { runtimeDir: first.runtimeDir });
  await serves(t, second.runtimeDir);
});

t.test("another user's lock on the folder keeps no daemon out", { skip: noOtherUser ?? false }, async (t) => {
  const runtimeDir = temporaryFolder(t);
  chmodSync(runtimeDir, 0o755);
  const holder = spawn('flock', ['-x', runtimeDir, 'sh', '-c', 'echo held; exec sleep 60'], {
    uid: OTHER_UID,
    gid: OTHER_UID,
  });
  const ended = new Promise((resolve) => holder.once('exit', resolve));
  t.teardown(async () => {
    spawnSync('pkill', ['-P', String(holder.pid)]);
    holder.kill();
    await ended;
  });
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  await startDaemon(t, { runtimeDir });
  t.pass('it starts');
});

t.test("what is in a socket's place and is no stale socket is named, and stays", async (t) => {
  const cases: [string, (path: string) => void, RegExp][] = [
    ['handoff.sock', (path) => mkdirSync(path), /handoff\.sock is a directory/],
    ['control.sock', (path) => writeFileSync(path, 'data'), /control\.sock is a regular file/],
    ['admin.sock', (path) => symlinkSync('/nonexistent/target', path), /admin\.sock is a symbolic link/],
    ['handoff.sock', (path) => spawnSync('mkfifo', [path]), /handoff\.sock is a named pipe/],
  ];
  for (const [name, place, message] of cases) {
    const runtimeDir = temporaryFolder(t);
    const path = join(runtimeDir, name);
    place(path);
    const said = refused(t, runtimeDir);
    t.match(said, message);
    t.match(said, /Move it away/, 'with what to do');
    t.ok(lstatSync(path, { throwIfNoEntry: false }), `${name} stays`);
  }
});

t.test('the socket of another program stays', async (t) => {
  for (const type of ['seqpacket', 'stream', 'datagram'] as const) {
    for (const name of SOCKETS) {
      const runtimeDir = temporaryFolder(t);
      const path = join(runtimeDir, name);
      using _socket =
        type === 'datagram'
          ? DatagramReceiver.bind(path, { message: () => {}, error: () => {} })
          : Listener.adopt(listenAt({ type, path }), {
              connection: (fd, { pidfd }) => {
                fd.close();
                pidfd?.close();
              },
              error: () => {},
            });
      t.match(refused(t, runtimeDir), new RegExp(`${name}: another process listens`), type);
      t.ok(existsSync(path), `${name} stays`);
    }
  }
});

t.test('a daemon that stops removes only the sockets that it created', async (t) => {
  const daemon = await startDaemon(t, { unchecked: true });
  const { runtimeDir } = daemon;
  rmSync(join(runtimeDir, 'handoff.sock'));
  using _other = listenAt({ type: 'seqpacket', path: join(runtimeDir, 'handoff.sock') });
  rmSync(join(runtimeDir, 'admin.sock'));
  mkdirSync(join(runtimeDir, 'admin.sock'));
  await daemon.stop();
  const left = readdirSync(runtimeDir).filter((name) => name.endsWith('.sock'));
  t.strictSame(left.sort(), ['admin.sock', 'handoff.sock']);
});

t.test('sockets that were passed to another process are left to it, and this is logged', async (t) => {
  const runtimeDir = temporaryFolder(t);
  using _manager = listenAt({ type: 'seqpacket', path: join(runtimeDir, 'handoff.sock') });
  const said = refused(t, runtimeDir, { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'handoff' });
  t.match(said, /LISTEN_PID is 1, and this process is \d+/);
  t.match(said, /handoff\.sock: another process listens/);
  t.ok(existsSync(join(runtimeDir, 'handoff.sock')));
});

t.test('a folder that others can write is served, with a warning', async (t) => {
  const cases: [number, number, RegExp | undefined][] = [
    [0o2777, 0o755, /has mode 2777/],
    [0o755, 0o777, /has mode 0777/],
    [0o775, 0o755, /has mode 0775/],
    [0o755, 0o1777, undefined],
    [0o755, 0o755, undefined],
  ];
  for (const [mode, parentMode, message] of cases) {
    const parent = temporaryFolder(t);
    const runtimeDir = join(parent, 'run');
    mkdirSync(runtimeDir);
    chmodSync(runtimeDir, mode);
    chmodSync(parent, parentMode);
    const { log } = await startDaemon(t, { runtimeDir });
    const control = new ControlWire(runtimeDir);
    const { ready, warnings } = await control.call('GetStatus', {});
    control.close();
    const what = `${mode.toString(8)} in ${parentMode.toString(8)}`;
    t.ok(ready, what);
    if (!message) t.strictSame(warnings, [], what);
    else t.match(warnings, [{ code: 'RUNTIME_EXPOSED', message, next: /expectUid/ }], what);
    if (message) t.match(log(), message, 'the log has it too');
  }
});

t.test(
  'a state folder that others own or can write is refused',
  { skip: noOtherUser ?? false },
  async (t) => {
    const cases: [string, (path: string) => void, RegExp][] = [
      ['writable', (path) => chmodSync(path, 0o777), /written by others \(mode 0777\).*chmod -R go-w/],
      ['of a group', (path) => chmodSync(path, 0o720), /mode 0720/],
      ['of another user', (path) => chownSync(path, OTHER_UID, 0), /belongs to the user 65533.*chown -R 0/],
      [
        'a link',
        (path) => {
          renameSync(path, `${path}.real`);
          symlinkSync(`${path}.real`, path);
        },
        /is not a folder/,
      ],
    ];
    for (const [what, change, message] of cases) {
      const runtimeDir = temporaryFolder(t);
      const state = join(runtimeDir, 'state');
      mkdirSync(state, { mode: 0o700 });
      change(state);
      const address = join(temporaryFolder(t), 'notify');
      using _manager = DatagramReceiver.bind(address, { message: () => {}, error: () => {} });
      t.match(refused(t, runtimeDir, { NOTIFY_SOCKET: address, FDSTORE: '100' }), message, what);
      t.ok(lstatSync(state), 'it stays');
    }
  },
);

t.test('a supervisor that stops removes the sockets for virtual machines', async (t) => {
  const runtimeDir = temporaryFolder(t);
  const folder = join(runtimeDir, 'ivshmem');
  mkdirSync(folder);
  listenAt({ type: 'stream', path: join(folder, 'stale.sock') }).close();
  using _other = listenAt({ type: 'stream', path: join(folder, 'live.sock') });
  writeFileSync(join(folder, 'file.sock'), '');
  const args = [daemonProgram, '--supervisor', '--runtime-dir', runtimeDir, '--no-such-option'];
  spawnSync(process.execPath, args, { env: plainEnvironment(), timeout: 30_000 });
  t.strictSame(readdirSync(folder).sort(), ['file.sock', 'live.sock'], 'only what no process listens on');
});
