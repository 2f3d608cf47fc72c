/** Datagrams with fds between unconnected processes: the sender's identity, the contents, and full queues. */
import { closeSync, fstatSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  closeAll,
  DatagramQueue,
  DatagramSender,
  EventFd,
  MAX_DATAGRAM_FDS,
  type OwnedFd,
  type ReceivedDatagram,
  sameFile,
} from '@vkmemd/proto';
import t from 'tap';
import { collect, some } from './datagrams.js';
import { isCloexec, openFds, sameFds, until } from './open-fds.js';

const directory = mkdtempSync(join(tmpdir(), 'vkmem-'));
t.teardown(() => rmSync(directory, { recursive: true }));
let next = 0;
const freshPath = () => join(directory, `d${next++}`);

t.test('bytes, fds and the sender arrive, through a path and through an abstract name', async (t) => {
  for (const address of [freshPath(), `@vkmem-test-${process.pid}`]) {
    const before = openFds();
    const { received, receiver } = collect(address);
    if (address.startsWith('/'))
      t.equal(statSync(address).mode & 0o777, 0o600, 'the socket is open to its own user only');
    using sender = new DatagramSender(address);
    const fds = some(MAX_DATAGRAM_FDS);
    t.ok(sender.send(Buffer.from('many'), fds));
    t.ok(
      fds.every(({ open }) => open),
      'fds are borrowed',
    );
    t.ok(sender.send(Buffer.alloc(0)), 'an empty datagram arrives too');
    await until(() => received.length === 2);
    const [many, empty] = received as [ReceivedDatagram, ReceivedDatagram];
    t.equal(many.data.toString(), 'many');
    t.equal(many.fds.length, MAX_DATAGRAM_FDS);
    t.ok(
      many.fds.every(({ fd }) => isCloexec(fd) && fstatSync(fd).isCharacterDevice()),
      'each is the same file, and CLOEXEC',
    );
    t.strictSame(many.sender, { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() });
    t.strictSame(many.truncated, { data: false, fds: false });
    t.strictSame([empty.data.length, empty.fds.length, empty.sender.pid], [0, 0, process.pid]);
    closeAll([...fds, ...many.fds]);
    receiver.close();
    sender.close();
    await sameFds(t, before);
  }
});

t.test('a datagram that is too long is reported as such, and its fds are owned', async (t) => {
  const before = openFds();
  const { received, receiver } = collect(freshPath().replace(/d\d+$/, 'short'), 4);
  using sender = new DatagramSender(join(directory, 'short'));
  const fds = some(2);
  sender.send(Buffer.from('12345'), fds);
  sender.send(Buffer.from('1234'));
  await until(() => received.length === 2);
  t.match(received, [
    { data: Buffer.from('1234'), truncated: { data: true, fds: false } },
    { truncated: { data: false, fds: false } },
  ]);
  t.equal(received[0]?.fds.length, 2);
  closeAll([...fds, ...(received[0]?.fds ?? [])]);
  receiver.close();
  sender.close();
  await sameFds(t, before);
});

t.test('a full queue is reported, and DatagramQueue waits and keeps the order', async (t) => {
  const before = openFds();
  const address = freshPath();
  const { received, receiver } = collect(address);
  using sender = new DatagramSender(address);
  let sent = 0;
  // The receiver runs only after this loop.
  while (sender.send(Buffer.from('x'))) sent += 1;
  t.ok(sent > 0 && sent < 10_000, `${sent} fit`);
  using queue = new DatagramQueue(address);
  const [fd] = some(1) as [OwnedFd];
  const numbers = Array.from({ length: 500 }, (_, at) => String(at));
  await Promise.all(numbers.map((number) => queue.send(number, [fd])));
  await until(() => received.length === sent + numbers.length);
  t.strictSame(
    received.slice(sent).map(({ data }) => data.toString()),
    numbers,
    'none is lost or out of order',
  );
  closeAll([fd, ...received.flatMap(({ fds }) => fds)]);
  receiver.close();
  sender.close();
  queue.close();
  await t.rejects(queue.send('late'), { code: 'UNAVAILABLE' });
  await sameFds(t, before);
});

t.test('a closed queue rejects what waits', async (t) => {
  const address = freshPath();
  const { receiver } = collect(address);
  const queue = new DatagramQueue(address);
  const outcomes = Promise.allSettled(Array.from({ length: 1000 }, () => queue.send('x')));
  queue.close();
  const rejected = (await outcomes).filter(({ status }) => status === 'rejected');
  t.ok(rejected.length > 0, `${rejected.length} had not been sent`);
  t.match(rejected[0], { reason: { code: 'UNAVAILABLE' } });
  receiver.close();
});

t.test('drain() receives at once everything that was sent', async (t) => {
  const address = freshPath();
  const { received, receiver } = collect(address);
  using sender = new DatagramSender(address);
  let sent = 0;
  while (sender.send(Buffer.from(String(sent)))) sent += 1;
  t.equal(received.length, 0);
  receiver.drain();
  t.equal(received.length, sent);
  receiver.close();
  t.throws(() => sender.send(Buffer.from('x')), { code: 'UNAVAILABLE' }, 'no receiver');
});

t.test('invalid addresses are rejected', async (t) => {
  for (const address of ['', '@', 'a\0b', `/${'x'.repeat(107)}`]) {
    t.throws(() => new DatagramSender(address), { code: 'INVALID_ARGUMENT' });
    t.throws(() => collect(address), { code: 'INVALID_ARGUMENT' });
  }
  using sender = new DatagramSender(freshPath());
  t.throws(() => sender.send(Buffer.from('x')), { code: 'UNAVAILABLE' });
  const taken = freshPath();
  const { receiver } = collect(taken);
  t.throws(() => collect(taken), { code: 'EADDRINUSE' });
  receiver.close();
});

t.test('sameFile() compares open file descriptions, not inodes', async (t) => {
  const [one, other] = some(2) as [OwnedFd, OwnedFd];
  const copy = one.dup();
  t.equal(sameFile(one, copy), true);
  t.equal(sameFile(one, other), false, 'opened twice');
  const events = [EventFd.create(), EventFd.create()] as const;
  t.equal(sameFile(events[0].fd, events[1].fd), false, 'files of a kind that shares one inode');
  t.equal(sameFile(one, events[0].fd), false);
  for (const event of events) event.close();
  closeAll([other, copy]);
  const number = one.take();
  closeSync(number);
});
