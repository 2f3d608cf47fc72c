/**
 * The launcher: what a program that it starts is refused and what still works (attempts.c), what it inherits,
 * how it ends, and the launcher's failures; and the launcher as a closer, which starts none.
 */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { openSync, readFileSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Connection, closeAll, LAUNCHER_EXIT, launcherPath, OwnedFd, seqpacketPair } from '@vkmemd/proto';
import t from 'tap';
import { plainEnvironment, plainNode, root } from '../support/daemon.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';
import { openFds, sameFds, until } from './open-fds.js';

const LAUNCHER = launcherPath();
const ATTEMPTS = join(root, 'test/native/build/attempts');
const CLOSE_RANGE = '436';
const { EACCES, ENOENT, ENOSYS, EPERM } = constants.errno;
const nobody = { uid: OTHER_UID, gid: OTHER_UID };

interface Options {
  readonly uid?: number;
  readonly gid?: number;
  /** Its fds 3, 4, ...; borrowed. */
  readonly fds?: readonly number[];
}

/** Runs a command until it ends. */
function run(command: readonly string[], { fds = [], ...user }: Options = {}): SpawnSyncReturns<string> {
  const [program = '', ...args] = command;
  const stdio = ['ignore' as const, 'pipe' as const, 'pipe' as const, ...fds];
  return spawnSync(program, args, { ...user, stdio, encoding: 'utf8', env: plainEnvironment() });
}

/** What a confined program prints. */
const confined = (program: readonly string[], options?: Options): string =>
  run([LAUNCHER, ...program], options).stdout;

/** Call -> errno, of the lines that attempts.c prints. */
const results = (output: string): Map<string, number> =>
  new Map(
    output
      .trimEnd()
      .split('\n')
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );

/** Those calls that have another result than expected. */
const others = (output: string, expected: (call: string) => number): [string, number][] =>
  [...results(output)].filter(([call, errno]) => errno !== expected(call));

const ABSENT = ['clone3', 'openat2'];
const refusal = (call: string): number => (ABSENT.includes(call) ? ENOSYS : EPERM);

t.test('each call that it must not make is refused', async (t) => {
  const output = confined([ATTEMPTS, 'refused']);
  t.strictSame(others(output, refusal), []);
  t.ok(results(output).size > (process.arch === 'x64' ? 175 : 140), `${results(output).size} calls`);
  const free = results(run([ATTEMPTS, 'refused']).stdout);
  for (const call of ['socket', 'kill parent', 'openat O_WRONLY', 'clone', 'fcntl F_SETOWN']) {
    t.equal(free.get(call), 0, `without the launcher ${call} is not refused`);
  }
});

t.test('for any user', { skip: noOtherUser ?? false }, async (t) => {
  t.strictSame(others(confined([ATTEMPTS, 'refused'], nobody), refusal), []);
});

t.test('what a server needs is allowed', async (t) => {
  const output = confined([ATTEMPTS, 'allowed']);
  t.strictSame(
    others(output, () => 0),
    [],
  );
  t.ok(results(output).size > 10);
});

t.test('a call of another ABI ends it', { skip: process.arch !== 'x64' && 'x64 only' }, async (t) => {
  t.equal(run([LAUNCHER, ATTEMPTS, 'foreign', 'x32']).signal, 'SIGSYS');
  // SIGSEGV where the kernel has no calls of 32 bits.
  t.match(run([LAUNCHER, ATTEMPTS, 'foreign', 'i386']).signal, /^SIG(SYS|SEGV)$/);
});

t.test('it has no privileges', async (t) => {
  for (const user of noOtherUser ? [{}] : [{}, nobody]) {
    const status = confined(['/bin/cat', '/proc/self/status'], user);
    for (const set of ['Inh', 'Prm', 'Eff', 'Amb', ...('uid' in user ? [] : ['Bnd'])]) {
      if (set === 'Bnd' && noOtherUser) continue;
      t.match(status, new RegExp(`^Cap${set}:\\s+0{16}$`, 'm'), `Cap${set}`);
    }
    t.match(status, /^NoNewPrivs:\s+1$/m);
    t.match(status, /^Seccomp:\s+2$/m);
  }
});

t.test('it cannot read a process of its user that is not dumpable', async (t) => {
  const program = fileURLToPath(new URL('dumpable-program.js', import.meta.url));
  // A process of root has capabilities, for which the kernel refuses access anyway.
  const user = noOtherUser ? {} : nobody;
  for (const dumpable of [true, false]) {
    const [command, args] = plainNode([program, String(dumpable)]);
    const env = plainEnvironment();
    const child = spawn(command, args, { ...user, env, stdio: ['pipe', 'pipe', 'inherit'] });
    await child.stdout.take(1).toArray();
    const access = results(confined([ATTEMPTS, 'access', String(child.pid)], user));
    // Whether it could access the memory of others depends on the kernel's settings too (Yama).
    if (dumpable) t.equal(access.get('environ'), 0, 'others it can read');
    else t.strictSame(new Set(access.values()), new Set([EACCES]));
    t.equal(access.size, 5);
    child.stdin.end();
    await new Promise((resolve) => child.once('exit', resolve));
  }
});

t.test('it has the standard streams and the link, and no other fds', async (t) => {
  const before = openFds();
  const files = Array.from({ length: 5 }, () => new OwnedFd(openSync('/dev/null', 'r'), 'null'));
  const fds = files.map(({ fd }) => fd);
  t.equal(confined([ATTEMPTS, 'fds'], { fds }), '0 1 2 3 ');
  t.match(run([ATTEMPTS, 'fds'], { fds }).stdout, /^0 1 2 3 4 5 6 7 /, 'otherwise it would inherit them');
  const old = [ATTEMPTS, 'without', CLOSE_RANGE, String(ENOSYS), LAUNCHER, ATTEMPTS, 'fds'];
  t.equal(run(old, { fds }).stdout, '0 1 2 3 ', 'before Linux 5.9');
  closeAll(files);
  await sameFds(t, before);
});

t.test('it receives and sends fds on the link', async (t) => {
  const before = openFds();
  const [own, link] = seqpacketPair();
  const file = new OwnedFd(openSync('/dev/null', 'w'), 'null');
  const received: [string, number][] = [];
  const connection = new Connection(
    own,
    {
      message(data, fds) {
        received.push([data.toString(), fds.length]);
        closeAll(fds);
      },
      close() {},
    },
    { maxFds: 1 },
  );
  connection.send(Buffer.from('through'), [file]);
  const child = spawn(LAUNCHER, [ATTEMPTS, 'link'], { stdio: ['ignore', 'pipe', 'inherit', link.fd] });
  link.close();
  const output = Buffer.concat((await child.stdout?.toArray()) as Buffer[]).toString();
  t.strictSame(
    others(output, () => 0),
    [],
    'write to the fd, sendmsg',
  );
  await until(() => received.length === 1);
  t.strictSame(received, [['through', 1]]);
  connection.close();
  await sameFds(t, before);
});

/** Whether a process has ended. It may wait for another process to collect its status. */
function ended(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

t.test('it ends with its parent', async (t) => {
  const script = '"$@" & echo $!; wait';
  const parent = spawn('sh', ['-c', script, 'sh', LAUNCHER, '/bin/sleep', '100'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await parent.stdout.take(1).toArray()) as Buffer[];
  const pid = Number(String(line));
  await until(() => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n');
  t.notOk(ended(pid));
  parent.kill('SIGKILL');
  await until(() => ended(pid));
  t.pass('it has ended');
});

t.test('the kernel ends it first when memory is short', async (t) => {
  const own = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
  t.equal(confined(['/bin/cat', '/proc/self/oom_score_adj']), `${Math.min(1000, own + 500)}\n`);
  const script = 'echo 900 > /proc/self/oom_score_adj; exec "$@"';
  const raised = run(['sh', '-c', script, 'sh', LAUNCHER, '/bin/cat', '/proc/self/oom_score_adj']);
  t.equal(raised.stdout, '1000\n', 'the maximum');
});

t.test('a missing /proc is reported and not fatal', { skip: noOtherUser ?? false }, async (t) => {
  // A sanitizer that is preloaded needs /proc.
  const script = 'mount -t tmpfs none /proc && unset LD_PRELOAD && exec "$@"';
  const unshared = ['unshare', '--mount', 'sh', '-c', script, 'sh', LAUNCHER, '/bin/echo', 'started'];
  const { status, stdout, stderr } = run(unshared);
  if (/unshare|mount/.test(stderr)) return t.pass('mounts', { skip: stderr });
  t.match({ status, stdout }, { status: 0, stdout: 'started\n' });
  t.match(stderr, /^vkmemd-front: reading \/proc\/self\/oom_score_adj failed: ENOENT \(2, .*\), .+\n$/);
});

t.test('arguments, environment, pid and status are those of the program', async (t) => {
  const script = 'echo "$0|$1|$2|$ODD|$$"; exit 7';
  const child = spawn(LAUNCHER, ['/bin/sh', '-c', script, 'zero', '', 'a b'], {
    env: { ODD: '=x=' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = new Promise((resolve) => child.once('exit', resolve));
  const output = Buffer.concat((await child.stdout.toArray()) as Buffer[]).toString();
  t.equal(output, `zero||a b|=x=|${child.pid}\n`);
  t.equal(await exit, 7);
});

t.test('its failures', async (t) => {
  const without = (call: number, errno: number) =>
    run([ATTEMPTS, 'without', String(call), String(errno), LAUNCHER, '/bin/true']);
  const seccomp = process.arch === 'x64' ? 317 : 277;
  const prctl = process.arch === 'x64' ? 157 : 167;
  const [own, link] = seqpacketPair();
  own.close();
  const { NOT_CONFINED, NOT_EXECUTED } = LAUNCHER_EXIT;
  for (const [ran, status, text] of [
    [run([LAUNCHER, '/nonexistent']), NOT_EXECUTED, /: executing \/nonexistent failed: ENOENT \(2, /],
    [run([LAUNCHER, '/']), NOT_EXECUTED, /: executing \/ failed: EACCES \(13, /],
    [without(seccomp, EPERM), NOT_CONFINED, /: seccomp failed: EPERM \(1, .*\), allow seccomp in /],
    [without(prctl, ENOENT), NOT_CONFINED, /: prctl PR_SET_NO_NEW_PRIVS failed: ENOENT \(2, /],
    [run([LAUNCHER, LAUNCHER, '/bin/true']), NOT_CONFINED, /: prctl PR_SET_PDEATHSIG failed: EPERM /],
    [
      run([LAUNCHER, '/bin/true'], { fds: [link.fd] }),
      NOT_CONFINED,
      /: ending with the parent failed: ESRCH /,
    ],
  ] as const) {
    t.equal(ran.status, status, ran.stderr);
    t.match(ran.stderr, text);
    // The launcher in a launcher cannot raise its score either.
    t.match(ran.stderr, /^(vkmemd-front: .+, .+\n)+$/);
    t.equal(ran.stdout, '');
  }
  link.close();
  const { status, stderr } = run([LAUNCHER]);
  t.match(
    { status, stderr },
    { status: LAUNCHER_EXIT.USAGE, stderr: /^usage: vkmemd_front_launcher PROGRAM/ },
  );
});

t.test(
  '--close: it keeps what it was given until its input ends',
  { skip: noOtherUser ?? false },
  async (t) => {
    const before = openFds();
    const [one, other] = seqpacketPair();
    const [gate, input] = seqpacketPair();
    const child = spawn(LAUNCHER, ['--close'], { ...nobody, stdio: [input.fd, 'ignore', 'inherit', one.fd] });
    closeAll([one, input]);
    const ended = new Promise((resolve) => child.once('close', (...how) => resolve(how)));
    let hungUp = false;
    const close = () => {
      hungUp = true;
    };
    new Connection(other, { message: () => {}, close });
    let reported = 0;
    const message = (data: Buffer) => {
      reported += data.length;
    };
    const control = new Connection(gate, { message, close: () => {} });
    await until(() => reported > 0);
    t.equal(reported, 1, 'it reports that it waits');
    const folder = `/proc/${child.pid}`;
    const status = readFileSync(`${folder}/status`, 'utf8');
    t.match(status, /^NoNewPrivs:\t1$/m);
    t.match(status, /^Seccomp:\t2$/m);
    t.equal(statSync(`${folder}/environ`).uid, 0, 'it is not dumpable: its files belong to root');
    t.notOk(hungUp);
    control.close();
    t.strictSame(await ended, [0, null]);
    await until(() => hungUp);
    await sameFds(t, before);
  },
);
