/**
 * What was sent and not read: by the kernel's word, whatever the other side says or looks at, and beyond the
 * end of the connection.
 */
import { openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  allRead,
  Connection,
  type ConnectionLimits,
  closeAll,
  OwnedFd,
  pendingCloses,
  seqpacketPair,
} from '@vkmemd/proto';
import t from 'tap';
import { openFds, sameFds, until } from './open-fds.js';

const nullFds = (count: number) =>
  Array.from({ length: count }, () => new OwnedFd(openSync('/dev/null', 'r'), 'null'));
const bytes = (text: string) => Buffer.from(text);

class End {
  readonly messages: string[] = [];
  readonly fds: OwnedFd[] = [];
  unread: OwnedFd | undefined;
  closed = false;
  readonly connection: Connection;

  constructor(fd: OwnedFd, limits: ConnectionLimits = {}) {
    const handlers = {
      message: (data: Buffer, fds: OwnedFd[]) => {
        this.messages.push(data.toString());
        this.fds.push(...fds);
      },
      close: (_reason: unknown, unread?: OwnedFd) => {
        this.closed = true;
        this.unread = unread;
      },
    };
    this.connection = new Connection(fd, handlers, limits);
  }
}

const pair = (ours: ConnectionLimits = {}, theirs: ConnectionLimits = { maxFds: 4 }) => {
  const [one, other] = seqpacketPair();
  return [new End(one, ours), new End(other, theirs)] as const;
};

t.test('fds are unread until everything is read; a look is not a read', async (t) => {
  const before = openFds();
  // An untrusted peer's second message with fds is looked at, and left where it is, while those of the first are open.
  const [sender, reader] = pair({}, { maxFds: 4, untrusted: true });
  t.equal(sender.connection.unreadFds, 0);
  sender.connection.send(bytes('one'), nullFds(3));
  t.equal(sender.connection.unreadFds, 3);
  sender.connection.send(bytes('two'), nullFds(1));
  sender.connection.send(bytes('three'));
  await until(() => reader.messages.length === 1);
  await sleep(50);
  t.equal(sender.connection.unreadFds, 4, 'some is read and some looked at: all count');
  closeAll(reader.fds.splice(0));
  await until(() => reader.messages.length === 3);
  t.equal(sender.connection.unreadFds, 0);
  sender.connection.send(bytes('four'));
  t.equal(sender.connection.unreadFds, 0, 'a message without fds has none');
  closeAll(reader.fds);
  sender.connection.close();
  await until(() => reader.closed && sender.closed && pendingCloses() === 0);
  t.equal(sender.unread, undefined);
  await sameFds(t, before);
});

t.test('what waits here is not in flight, and is once it has left', async (t) => {
  const before = openFds();
  const [sender, reader] = pair({ maxQueuedFds: 200 });
  reader.connection.pause();
  t.equal(sender.connection.crowded, false);
  let sent = 0;
  while (sender.connection.queuedMessages === 0) {
    sender.connection.send(Buffer.alloc(20_000, 'x'), nullFds(1));
    sent += 1;
  }
  t.equal(sender.connection.unreadFds, sent - 1);
  t.equal(sender.connection.crowded, true);
  reader.connection.resume();
  await until(() => reader.messages.length === sent);
  await until(() => sender.connection.unreadFds === 0);
  t.equal(sender.connection.crowded, false);
  t.equal(reader.fds.length, sent);
  closeAll(reader.fds);
  sender.connection.close();
  reader.connection.close();
  await until(() => sender.closed && reader.closed);
  await sameFds(t, before);
});

t.test('messages without fds crowd the socket too', async (t) => {
  const before = openFds();
  const [sender, reader] = pair();
  reader.connection.pause();
  for (let i = 0; !sender.connection.crowded; i += 1) {
    if (i > 1000) throw new Error('it is never crowded');
    sender.connection.send(bytes('x'));
  }
  t.equal(sender.connection.queuedMessages, 0, 'long before anything has to wait here');
  t.equal(sender.connection.unreadFds, 0);
  sender.connection.close();
  reader.connection.close();
  await until(() => sender.closed && reader.closed);
  await sameFds(t, before);
});

for (const [how, end] of [
  ['closed', (connection: Connection) => connection.close()],
  ['ended', (connection: Connection) => connection.end(bytes('goodbye'))],
] as const) {
  t.test(`a connection is ${how} with fds unread`, async (t) => {
    const before = openFds();
    const [sender, reader] = pair({ keepsUnread: true });
    reader.connection.pause();
    sender.connection.send(bytes('one'), nullFds(2));
    reader.connection.send(bytes('never read'));
    end(sender.connection);
    await until(() => sender.closed);
    const { unread } = sender;
    if (!unread) throw new Error('no socket was handed over');
    t.equal(allRead(unread), false);
    reader.connection.resume();
    await until(() => reader.closed);
    t.strictSame(
      reader.messages,
      how === 'ended' ? ['one', 'goodbye'] : ['one'],
      'it comes, and then the end',
    );
    t.equal(reader.fds.length, 2);
    t.equal(allRead(unread), true);
    unread.close();
    closeAll(reader.fds);
    await sameFds(t, before);
  });
}

t.test('the other side goes without reading', async (t) => {
  const before = openFds();
  const [sender, reader] = pair({ keepsUnread: true });
  reader.connection.pause();
  sender.connection.send(bytes('one'), nullFds(2));
  sender.connection.close();
  await until(() => sender.closed);
  t.equal(sender.unread && allRead(sender.unread), false);
  reader.connection.close();
  await until(() => reader.closed);
  t.equal(sender.unread && allRead(sender.unread), true);
  sender.unread?.close();
  const [late, gone] = pair({ keepsUnread: true });
  gone.connection.pause();
  late.connection.send(bytes('one'), nullFds(2));
  gone.connection.close();
  await until(() => late.closed && gone.closed);
  t.equal(late.unread, undefined, 'where it went first nothing is left');
  await sameFds(t, before);
});

t.test('fds are unread on both sides', async (t) => {
  const before = openFds();
  const [sender, reader] = pair({ keepsUnread: true, untrusted: true, maxFds: 1 });
  reader.connection.pause();
  sender.connection.pause();
  sender.connection.send(bytes('one'), nullFds(2));
  reader.connection.send(bytes('never read'), nullFds(1));
  sender.connection.close();
  await until(() => sender.closed);
  t.equal(sender.unread && allRead(sender.unread), false);
  reader.connection.close();
  await until(() => reader.closed);
  t.equal(sender.unread && allRead(sender.unread), true);
  sender.unread?.close();
  await until(() => pendingCloses() === 0);
  await sameFds(t, before);
});
