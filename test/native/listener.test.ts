/** Listener and peer identity: who may connect, who connected, pauses, and the behaviour without free fds. */

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, connectSeqpacket, Listener, OwnedFd, type PeerIdentity } from '@vkmemd/proto';
import t from 'tap';
import { isCloexec, openFds, sameFds, until } from './open-fds.js';

const directory = mkdtempSync(join(tmpdir(), 'vkmem-'));
t.teardown(() => rmSync(directory, { recursive: true }));
let next = 0;
const freshPath = () => join(directory, `s${next++}`);
const ignore = { message() {}, close() {} };

t.test("the peer's identity is the one that the kernel recorded", async (t) => {
  const path = freshPath();
  const before = openFds();
  const peers: PeerIdentity[] = [];
  const listener = Listener.listen(
    { type: 'seqpacket', path },
    {
      connection(fd, peer) {
        t.ok(isCloexec(fd.fd));
        fd.close();
        peers.push(peer);
      },
      error: t.fail,
    },
  );
  const client = connectSeqpacket(path, ignore);
  await until(() => peers.length === 1);
  const [peer] = peers as [PeerIdentity];
  t.match(peer, { uid: process.getuid?.(), gid: process.getgid?.(), pid: process.pid });
  const groups = /^Groups:[ \t]*(.*?)[ \t]*$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  t.equal([...peer.groups].sort((a, b) => a - b).join(' '), groups);
  if (peer.pidfd === undefined) t.comment('this kernel has no SO_PEERPIDFD');
  else t.ok(isCloexec(peer.pidfd.fd));
  peer.pidfd?.close();
  client.close();
  listener.close();
  t.ok(statSync(path).isSocket(), 'close() keeps the file');
  await sameFds(t, before);
});

t.test('the mode is set whatever the umask, and a path that is too long is refused', async (t) => {
  const before = openFds();
  const on = { connection: () => t.fail(), error: t.fail };
  for (const umask of [0, 0o777]) {
    for (const mode of [0o660, 0o600, 0o666]) {
      const path = freshPath();
      const old = process.umask(umask);
      using _listener = Listener.listen({ type: 'stream', path, mode }, on);
      process.umask(old);
      t.equal(statSync(path).mode & 0o777, mode);
      t.throws(() => Listener.listen({ type: 'stream', path, mode }, on), {
        code: 'EADDRINUSE',
        syscall: 'bind',
      });
    }
  }
  const longest = join(directory, 'x'.repeat(106 - Buffer.byteLength(directory)));
  t.equal(Buffer.byteLength(longest), 107);
  Listener.listen({ type: 'seqpacket', path: longest }, on).close();
  for (const path of [`${longest}x`, '', '\0abstract']) {
    t.throws(() => Listener.listen({ type: 'seqpacket', path }, on), {
      code: 'INVALID_ARGUMENT',
      reason: /107/,
    });
  }
  await sameFds(t, before);
});

t.test(
  'an inherited listening fd is adopted; an fd that does not listen is refused and closed',
  async (t) => {
    const path = freshPath();
    const server = createServer().listen(path);
    await new Promise((resolve) => server.once('listening', resolve));
    const before = openFds();
    const own = (server as unknown as { _handle: { fd: number } })._handle.fd;
    const borrowed = new OwnedFd(own, 'the server\u2019s');
    const copy = borrowed.dup('inherited');
    borrowed.take();
    server.unref();
    let accepted = 0;
    const listener = Listener.adopt(copy, {
      connection(fd, peer) {
        accepted++;
        peer.pidfd?.close();
        fd.close();
      },
      error: t.fail,
    });
    server.on('connection', (socket) => {
      accepted++;
      socket.destroy();
    });
    const client = connect(path);
    await new Promise((resolve) => client.once('close', resolve));
    t.equal(accepted, 1);
    listener.close();
    const file = new OwnedFd(openSync('/dev/null', 'r'), 'null');
    t.throws(() => Listener.adopt(file, { connection() {}, error() {} }), { code: 'ENOTSOCK' });
    t.equal(file.open, false);
    await sameFds(t, before);
    server.close();
  },
);

t.test('without free fds it reports once, pauses, and accepts when there are fds again', async (t) => {
  const path = freshPath();
  const before = openFds();
  const errors: Error[] = [];
  let accepted = 0;
  const listener = Listener.listen(
    { type: 'seqpacket', path },
    {
      connection(fd, peer) {
        accepted++;
        peer.pidfd?.close();
        fd.close();
      },
      error: (error) => errors.push(error),
    },
  );
  const clients: Connection[] = [];
  for (let i = 0; i < 40; i++) clients.push(connectSeqpacket(path, ignore));
  const fill: number[] = [];
  try {
    for (;;) fill.push(openSync('/dev/null', 'r'));
  } catch (error) {
    t.equal((error as NodeJS.ErrnoException).code, 'EMFILE');
  }
  const cpu = process.cpuUsage();
  await sleep(500);
  const { user, system } = process.cpuUsage(cpu);
  t.ok(user + system < 250_000, `${(user + system) / 5000} % of a core while paused`);
  t.match(errors, [{ code: 'EMFILE', syscall: 'accept4' }]);
  t.equal(errors.length, 1);
  t.equal(accepted, 0);
  for (const fd of fill) closeSync(fd);
  await until(() => accepted === 40);
  for (const client of clients) client.close();
  listener.close();
  await sameFds(t, before);
});

/** A listener that counts, and closes what it accepts. */
function counting(path: string, then: () => void = () => {}) {
  const counts = { accepted: 0, errors: 0 };
  const listener = Listener.listen(
    { type: 'seqpacket', path },
    {
      connection(fd, peer) {
        counts.accepted++;
        peer.pidfd?.close();
        fd.close();
        then();
      },
      error: () => counts.errors++,
    },
  );
  return { listener, counts };
}

t.test('while paused it accepts nothing, and connections wait', async (t) => {
  const path = freshPath();
  const before = openFds();
  const { listener, counts } = counting(path);
  listener.pause();
  listener.pause();
  const clients = [1, 2, 3].map(() => connectSeqpacket(path, ignore));
  const cpu = process.cpuUsage();
  await sleep(200);
  const { user, system } = process.cpuUsage(cpu);
  t.ok(user + system < 100_000, `${(user + system) / 2000} % of a core while paused`);
  t.equal(counts.accepted, 0);
  listener.resume();
  listener.resume();
  await until(() => counts.accepted === 3);
  listener.pause();
  clients.push(connectSeqpacket(path, ignore));
  await sleep(50);
  t.equal(counts.accepted, 3, 'paused again');
  listener.close();
  listener.resume();
  listener.pause();
  t.throws(() => connectSeqpacket(path, ignore), { code: 'UNAVAILABLE' }, 'closed while paused');
  for (const client of clients) client.close();
  await sameFds(t, before);
});

t.test('paused by the handler of a connection, it accepts no further one', async (t) => {
  const path = freshPath();
  const before = openFds();
  const { listener, counts } = counting(path, () => listener.pause());
  const clients = [1, 2, 3].map(() => connectSeqpacket(path, ignore));
  for (const expected of [1, 2, 3]) {
    await until(() => counts.accepted === expected);
    await sleep(50);
    t.equal(counts.accepted, expected);
    listener.resume();
  }
  for (const client of clients) client.close();
  listener.close();
  await sameFds(t, before);
});

t.test('a pause outlasts a rest, and resume() does not shorten one', async (t) => {
  const path = freshPath();
  const before = openFds();
  const { listener, counts } = counting(path);
  const client = connectSeqpacket(path, ignore);
  const fill: number[] = [];
  try {
    for (;;) fill.push(openSync('/dev/null', 'r'));
  } catch (error) {
    t.equal((error as NodeJS.ErrnoException).code, 'EMFILE');
  }
  await until(() => counts.errors === 1);
  listener.pause();
  for (const fd of fill) closeSync(fd);
  await sleep(200);
  t.equal(counts.accepted, 0, 'its rest has ended, its pause has not');
  listener.resume();
  await until(() => counts.accepted === 1);
  client.close();
  listener.close();
  await sameFds(t, before);
});
