/** Children that are started without a copy of the page tables (proto/kernel/child.ts). */
import { type StdioOptions, spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { ChildProcess, Connection, seqpacketPair } from '@vkmemd/proto';
import t from 'tap';

const openFds = () => readdirSync('/proc/self/fd').length;

/** Starts a shell command with one end of a pair as fd 3. @returns the child, and what it sends there. */
function start(command: string, environment: readonly string[] = []) {
  const [ours, its] = seqpacketPair();
  const child = new ChildProcess({ file: '/bin/sh', args: ['-c', command], environment }, its);
  its.close();
  const received = new Promise<string[]>((resolve) => {
    const messages: string[] = [];
    const message = (data: Buffer) => void messages.push(data.toString().trim());
    new Connection(ours, { message, close: () => resolve(messages) });
  });
  return { child, received };
}

t.test('a child has its arguments, its environment, fd 3, and default signals', async (t) => {
  const before = openFds();
  const { child, received } = start('echo "$0 $A $B" >&3; trap >&3', [
    'A=one',
    'B=two words',
    'PATH=/usr/bin:/bin',
  ]);
  t.strictSame(await received, ['/bin/sh one two words']);
  t.equal(await child.exited, 'exit status 0');
  t.equal(openFds(), before);
});

/** Prints which fds a child has. Its parent has one more, which a driver might have opened without O_CLOEXEC. */
const LIST_FDS = `
  import { ChildProcess, seqpacketPair } from '@vkmemd/proto';
  const [ours, its] = seqpacketPair();
  const child = new ChildProcess({ file: '/bin/ls', args: ['/proc/self/fd'], environment: [] }, its);
  console.log(await child.exited);
`;
const INHERITED = 100;

t.test('a child has the standard streams and fd 3 only', async (t) => {
  const opened = openSync('/dev/null', 'r');
  t.teardown(() => closeSync(opened));
  const stdio: StdioOptions = Array.from({ length: INHERITED + 1 }, (_, number) =>
    number === INHERITED ? opened : 'ignore',
  );
  stdio[1] = 'pipe';
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', LIST_FDS], {
    encoding: 'utf8',
    stdio,
  });
  // ls itself has the folder open.
  t.equal(stdout, '0\n1\n2\n3\n4\nexit status 0\n');
});

t.test('how a child ended is reported', async (t) => {
  const failed = start('exit 7');
  await failed.received;
  t.equal(await failed.child.exited, 'exit status 7');
  const killed = start('exec sleep 60');
  killed.child.kill();
  await killed.received;
  t.equal(await killed.child.exited, 'SIGKILL');
  killed.child.kill();
  t.throws(() => process.kill(killed.child.pid, 0), { code: 'ESRCH' }, 'it was reaped');
});

t.test('a program that does not exist is reported at once', async (t) => {
  const before = openFds();
  const [one, other] = seqpacketPair();
  t.throws(() => new ChildProcess({ file: '/nonexistent', args: [], environment: [] }, one), {
    syscall: 'posix_spawn',
    code: 'ENOENT',
  });
  one.close();
  other.close();
  t.equal(openFds(), before);
});
