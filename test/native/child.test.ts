/** Children that are started without a copy of the page tables (proto/kernel/child.ts). */
import { readdirSync } from 'node:fs';
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
  const { child, received } = start('echo "$0 $A $B" >&3; echo "$(ls /proc/$$/fd)" >&3; trap >&3', [
    'A=one',
    'B=two words',
    'PATH=/usr/bin:/bin',
  ]);
  const [words, fds] = await received;
  t.equal(await child.exited, 'exit status 0');
  t.equal(words, '/bin/sh one two words');
  const passed = fds?.split(/\s+/).filter((fd) => Number(fd) < 4);
  t.strictSame(passed, ['0', '1', '2', '3'], 'the standard streams and one more');
  t.equal(openFds(), before);
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
