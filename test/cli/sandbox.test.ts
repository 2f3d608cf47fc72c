/**
 * vkmemctl exec --sandbox: what a command inside can see and reach, observed from inside, and how it ends.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { connected, PAGE } from '../client/support.js';
import {
  ANYBODY,
  assertCounts,
  assertNoLeaks,
  plainEnvironment,
  root,
  startDaemon,
  temporaryFolder,
} from '../support/daemon.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';
import { execute, executed, inheritingProgram, parsed, vkmemctl } from './support.js';

const noBwrap =
  spawnSync('bwrap', ['--ro-bind', '/', '/', 'true']).status === 0 ? false : 'bwrap cannot be run here';
const python = '/usr/bin/python3';
const noPython = spawnSync(python, ['--version']).error ? `no ${python} here` : noBwrap;

const FRAMES = ['--allocate', 'name=frames,size=64K'];
const SCRATCH = ['--allocate', 'name=scratch,size=1M,lifetime=session'];
/** Options that show our own programs, and the Node.js that runs them. */
const OURS = ['--sandbox', '--ro', root, '--ro', process.execPath];
const node = (...args: string[]) => ['--', process.execPath, ...args];
const shell = (script: string) => ['--sandbox', '--', 'sh', '-c', script];

t.test(
  'a worker with the library runs in the sandbox and sees nothing else',
  { skip: noBwrap },
  async (t) => {
    const { runtimeDir } = await startDaemon(t);
    const reader = await connected(t, runtimeDir);
    const env = { ...plainEnvironment(), SECRET: 'x', CHOSEN: 'kept', LANG: 'C.UTF-8', TERM: 'dumb' };
    const chosen = ['--env', 'CHOSEN', '--env', 'MODE=a=b', '--env', 'ABSENT'];
    const { child, said, ended } = execute(
      runtimeDir,
      [...OURS, ...chosen, ...FRAMES, ...node(inheritingProgram, 'frames', '9')],
      env,
    );
    const found = await said;
    t.match(found, { inherited: true, second: 'UNAVAILABLE', budget: 'UNAVAILABLE' });
    t.strictSame(
      found.interfaces.filter((name: string) => name !== 'lo'),
      [],
    );
    const { VKMEM_SESSION_FD, VKMEM_ALLOCATIONS, ...rest } = found.environment;
    t.match(VKMEM_SESSION_FD, /^\d+$/);
    t.strictSame(JSON.parse(VKMEM_ALLOCATIONS), found.allocations);
    t.strictSame(rest, {
      LANG: 'C.UTF-8',
      TERM: 'dumb',
      HOME: '/tmp',
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      CHOSEN: 'kept',
      MODE: 'a=b',
      PWD: found.cwd,
    });
    const shown = ['bin', 'dev', 'etc', 'lib', 'lib32', 'lib64', 'libx32', 'proc', 'sbin', 'tmp', 'usr'];
    const places = [root, process.execPath].map((path) => path.split('/')[1]);
    const others = found.root.filter((name: string) => ![...shown, ...places].includes(name));
    t.strictSame(others, [], 'no /run, no /home, no other folder');
    const etc = found.etc.filter((name: string) => !['alternatives', 'ld.so.cache'].includes(name));
    t.strictSame(etc, []);
    t.strictSame(
      found.processes.filter((name: string) => /^\d+$/.test(name)).length,
      2,
      'the worker and pid 1',
    );

    const memory = await reader.claim({ name: 'frames' }, { access: 'ro' });
    t.same(
      memory.map().bytes.subarray(0, PAGE),
      Buffer.alloc(PAGE, 9),
      'the bytes that it wrote are visible outside',
    );
    await memory.free();
    await reader.close();
    child.stdin.end();
    t.match(await ended, { code: 0, stderr: '' });
  },
);

t.test(
  'a sandboxed command of another user uses its own memory',
  { skip: noBwrap || (noOtherUser ?? false) },
  async (t) => {
    const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
    chmodSync(runtimeDir, 0o755);
    chmodSync(join(runtimeDir, 'handoff.sock'), 0o666);
    const args = [...OURS, ...FRAMES, ...SCRATCH, ...node(inheritingProgram, 'scratch', '3')];
    const { child, said, ended } = execute(runtimeDir, args, plainEnvironment(), OTHER_UID);
    const { allocations } = await said;
    child.stdin.end();
    t.match(
      await ended,
      { code: 0, stderr: '' },
      'it can claim its own memory, whatever uids the sandbox shows',
    );
    const { allocations: left } = parsed(await vkmemctl(runtimeDir, 'ls', '--json'));
    t.match(left, [{ id: allocations.frames, ownerUid: OTHER_UID }]);
    t.match(await vkmemctl(runtimeDir, 'free', allocations.frames), { code: 0 });
  },
);

/** Tries everything that it might reach and prints what it reached. */
const ESCAPES = `
import array, json, os, socket, sys
runtime, pid = sys.argv[1:]
reached = []
def attempt(name, act):
    try:
        act()
        reached.append(name)
    except OSError as failure:
        pass
def unix(path, kind):
    socket.socket(socket.AF_UNIX, kind).connect(path)
attempt("handoff", lambda: unix(runtime + "/handoff.sock", socket.SOCK_SEQPACKET))
attempt("control", lambda: unix(runtime + "/control.sock", socket.SOCK_STREAM))
attempt("runtime folder", lambda: os.listdir(runtime))
attempt("another process", lambda: os.kill(int(pid), 0))
attempt("another's /proc", lambda: os.listdir("/proc/" + pid))
attempt("network", lambda: socket.create_connection(("192.0.2.1", 9), 1))
attempt("/usr", lambda: open("/usr/vkmem-test", "w"))
attempt("/etc/passwd", lambda: open("/etc/passwd"))
attempt("/dev/dri", lambda: os.listdir("/dev/dri"))
attempt("/sys", lambda: os.listdir("/sys"))
attempt("root", lambda: os.chroot("/usr"))
attempt("mount", lambda: os.mkdir("/proc/sys/vkmem"))
status = open("/proc/self/status").read()
capabilities = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff")]
sockets = [fd for fd in os.listdir("/proc/self/fd") if os.path.islink("/proc/self/fd/" + fd)
           and os.readlink("/proc/self/fd/" + fd).startswith("socket:") and int(fd) > 2]
init = [fd for fd in os.listdir("/proc/1/fd") if fd == os.environ["VKMEM_SESSION_FD"]]
print(json.dumps({"reached": reached, "capabilities": capabilities, "init": init,
                  "sockets": sockets == [os.environ["VKMEM_SESSION_FD"]]}))
`;

t.test(
  'a sandboxed command reaches no socket, process, network or host file',
  { skip: noPython },
  async (t) => {
    const { runtimeDir, pid } = await startDaemon(t);
    const ended = await executed(runtimeDir, [
      '--sandbox',
      '--',
      python,
      '-c',
      ESCAPES,
      runtimeDir,
      String(pid),
    ]);
    t.match(ended, { code: 0, stderr: '' });
    t.strictSame(JSON.parse(ended.stdout || '{}'), {
      reached: [],
      capabilities: ['0000000000000000'],
      init: [],
      sockets: true,
    });
  },
);

t.test('--ro and --rw show paths', { skip: noBwrap }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const folder = temporaryFolder(t);
  const [read, write] = ['read', 'write'].map((name) => join(folder, name)) as [string, string];
  mkdirSync(read);
  mkdirSync(write);
  writeFileSync(
    join(read, 'tool'),
    '#!/bin/sh\npwd; cat "$1"; echo new > "$2"; (echo x > "$1") 2>/dev/null || echo "read only"\n',
  );
  chmodSync(join(read, 'tool'), 0o755);
  symlinkSync(read, join(folder, 'link'));
  cpSync(join(read, 'tool'), join(read, 'plain'));
  chmodSync(join(read, 'plain'), 0o644);
  const shown = ['--sandbox', '--ro', join(folder, 'link'), '--rw', write];
  const tool = [join(folder, 'link/tool'), join(folder, 'link/plain'), join(write, 'new')];
  const { code, stdout } = await executed(runtimeDir, [...shown, '--', ...tool]);
  t.equal(code, 0);
  t.match(stdout, /^\/tmp\n#!\/bin\/sh\n.*\nread only\n$/s);
  t.equal(readFileSync(join(write, 'new'), 'utf8'), 'new\n');

  const failures: [string[], number, RegExp][] = [
    [
      ['--sandbox', '--', join(read, 'tool')],
      127,
      /is not in the sandbox; add a path of the host with --ro PATH/,
    ],
    [['--sandbox', '--', 'no-such-program'], 127, /no-such-program is not in the sandbox/],
    [['--sandbox', '--ro', read, '--', join(read, 'plain')], 126, /is not executable/],
    [['--sandbox', '--ro', read, '--env', `PATH=${read}`, '--', 'sh'], 127, /sh is not in the sandbox/],
    [
      ['--sandbox', '--ro', join(folder, 'nothing'), '--', 'sh'],
      1,
      /--ro: the path ".*nothing" does not exist/,
    ],
    [['--sandbox', '--env', '=x', '--', 'sh'], 1, /--env: "=x" has no name/],
  ];
  for (const [args, exit, reason] of failures) {
    t.match(await executed(runtimeDir, args), { code: exit, stdout: '', stderr: reason }, args.join(' '));
  }
});

t.test('exec --sandbox ends as the command does, and the session with it', { skip: noBwrap }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  t.match(await executed(runtimeDir, shell('exit 7')), { code: 7, stdout: '' });
  t.match(await executed(runtimeDir, shell('kill -KILL $$')), { code: 137 });
  await assertNoLeaks(t, runtimeDir);
});

t.test('a sandbox that is killed ends the command too', { skip: noBwrap }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const { child, said, ended } = execute(runtimeDir, [
      ...OURS,
      ...SCRATCH,
      ...node(inheritingProgram, 'scratch', '1'),
    ]);
    await said;
    await assertCounts(t, runtimeDir, { sessions: 1, allocations: 1, grants: 1, fds: 1, deviceMemories: 1 });
    child.kill(signal);
    // The output is closed only when no process has it open, including the command.
    t.match(await ended, { code: signal });
    await assertNoLeaks(t, runtimeDir);
  }
  for (let round = 0; round < 6; round += 1) {
    const { child, ended } = execute(runtimeDir, [
      ...OURS,
      ...SCRATCH,
      ...node(inheritingProgram, 'scratch', '1'),
    ]);
    await sleep(round * 150);
    child.kill('SIGKILL');
    await ended;
  }
  await assertNoLeaks(t, runtimeDir);
});

t.test('exec --sandbox without bubblewrap is refused', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const folder = temporaryFolder(t);
  symlinkSync(process.execPath, join(folder, 'node'));
  symlinkSync('/usr/bin/env', join(folder, 'env'));
  const env = { ...plainEnvironment(), PATH: folder };
  const ended = await executed(runtimeDir, [...FRAMES, ...shell('echo ran')], env);
  t.match(ended, {
    code: 1,
    stdout: '',
    stderr: /INVALID_ARGUMENT: .*bwrap is missing; install the package bubblewrap/,
  });
  t.match(await vkmemctl(runtimeDir, 'ls'), { stdout: 'No allocations.\n' });
});

t.test('a sandbox that cannot be made here is refused before memory is allocated', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const folder = temporaryFolder(t);
  const failing = join(folder, 'bwrap');
  writeFileSync(failing, '#!/bin/sh\necho "bwrap: No permissions to create new namespace" >&2\nexit 1\n');
  chmodSync(failing, 0o755);
  const env = { ...plainEnvironment(), PATH: `${folder}:${process.env.PATH}` };
  for (const repeated of [1, 2]) {
    const ended = await executed(runtimeDir, [...FRAMES, ...shell('echo ran')], env);
    t.match(ended, { code: 1, stdout: '' }, `time ${repeated}`);
    t.match(
      ended.stderr,
      /INVALID_ARGUMENT: .*cannot make a sandbox here: .*No permissions.*user namespaces/,
    );
  }
  t.match(await vkmemctl(runtimeDir, 'ls'), { stdout: 'No allocations.\n' });
  await assertNoLeaks(t, runtimeDir);
});
