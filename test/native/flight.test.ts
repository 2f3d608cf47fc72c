/**
 * Messages that were sent and not read, as the kernel reports them: whatever the other side claims or peeks
 * at, and after the end of the connection.
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

t.test('fds count as unread until all messages are read; a peek is not a read', async (t) => {
  const before = openFds();
  // The second message with fds of an untrusted peer is peeked at, and stays in the socket while the first
  // message's fds are open.
  const [sender, reader] = pair({}, { maxFds: 4, untrusted: true });
  t.equal(sender.connection.unreadFds, 0);
  sender.connection.send(bytes('one'), nullFds(3));
  t.equal(sender.connection.unreadFds, 3);
  sender.connection.send(bytes('two'), nullFds(1));
  sender.connection.send(bytes('three'));
  await until(() => reader.messages.length === 1);
  await sleep(50);
  t.equal(sender.connection.unreadFds, 4, 'messages that were read or peeked at are all counted');
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

t.test('queued messages are not in flight until they are sent', async (t) => {
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

t.test('messages without fds fill the socket too', async (t) => {
  const before = openFds();
  const [sender, reader] = pair();
  reader.connection.pause();
  for (let i = 0; !sender.connection.crowded; i += 1) {
    if (i > 1000) throw new Error('the socket is never reported as full');
    sender.connection.send(bytes('x'));
  }
  t.equal(sender.connection.queuedMessages, 0, 'long before a message is queued here');
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
    if (!unread) throw new Error('the close event had no socket');
    t.equal(allRead(unread), false);
    reader.connection.resume();
    await until(() => reader.closed);
    t.strictSame(
      reader.messages,
      how === 'ended' ? ['one', 'goodbye'] : ['one'],
      'the messages arrive, then the end',
    );
    t.equal(reader.fds.length, 2);
    t.equal(allRead(unread), true);
    unread.close();
    closeAll(reader.fds);
    await sameFds(t, before);
  });
}

t.test('the peer ends without reading', async (t) => {
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
  t.equal(late.unread, undefined, 'nothing is left where the peer ended first');
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
