/** Connection: messages and fds in both directions, and every limit that a peer can violate. */

import { spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CloseReason,
  Connection,
  type ConnectionHandlers,
  type ConnectionLimits,
  connectSeqpacket,
  type Fault,
  Listener,
  OwnedFd,
  seqpacketPair,
} from '@vkmemd/proto';
import t from 'tap';
import { isCloexec, openFds, sameFds, until } from './open-fds.js';

/** A connection that records its events. */
class End {
  readonly messages: string[] = [];
  readonly fds: OwnedFd[] = [];
  readonly closes: CloseReason[] = [];
  readonly connection: Connection;

  constructor(fd: OwnedFd, limits: ConnectionLimits = {}, more: Partial<ConnectionHandlers> = {}) {
    this.connection = new Connection(
      fd,
      {
        message: (data, fds) => {
          this.messages.push(data.toString());
          this.fds.push(...fds);
        },
        close: (reason) => this.closes.push(reason),
        ...more,
      },
      limits,
    );
  }

  get closed(): boolean {
    return this.closes.length > 0;
  }
}

const nullFds = (count: number) =>
  Array.from({ length: count }, () => new OwnedFd(openSync('/dev/null', 'r'), 'null'));
const bytes = (text: string) => Buffer.from(text);

t.test('a second process returns every fd, and each arrives CLOEXEC', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vkmem-'));
  const path = join(directory, 's');
  const before = openFds();
  let end: End | undefined;
  const listener = Listener.listen(
    { type: 'seqpacket', path },
    {
      connection(fd, peer) {
        peer.pidfd?.close();
        end = new End(fd, { maxFds: 253 });
      },
      error: t.fail,
    },
  );
  const child = spawn(process.execPath, [join(import.meta.dirname, 'peer-process.js'), path], {
    stdio: 'inherit',
  });
  await until(() => end !== undefined, 20_000);
  const peer = end as unknown as End;
  for (const count of [0, 1, 16, 253]) {
    t.ok(peer.connection.send(bytes(`${count}`), nullFds(count)));
    await until(() => peer.messages.at(-1) === `${count}`);
    t.equal(peer.fds.length, count);
    t.ok(peer.fds.every((fd) => isCloexec(fd.fd)));
    t.ok(peer.fds.every((fd) => fstatSync(fd.fd).isCharacterDevice()));
    for (const fd of peer.fds.splice(0)) fd.close();
  }
  child.kill('SIGKILL');
  await until(() => peer.closed);
  t.strictSame(peer.closes, [{ kind: 'hangup' }]);
  t.equal(peer.connection.send(bytes('late'), nullFds(3)), false, 'a message after the end is dropped');
  listener.close();
  await new Promise((resolve) =>
    (child.exitCode ?? child.signalCode) === null ? child.once('close', resolve) : resolve(0),
  );
  rmSync(directory, { recursive: true });
  await sameFds(t, before);
});

for (const [kind, limits, data, fds] of [
  ['message-too-large', { maxMessageBytes: 100, maxFds: 253 }, 101, 5],
  ['unsolicited-fds', {}, 10, 253],
  ['unsolicited-fds', { maxFds: 2 }, 10, 3],
] as const) {
  t.test(
    `${kind}: all ${fds} fds are closed, and the last message arrives past unread messages`,
    async (t) => {
      const before = openFds();
      const [left, right] = seqpacketPair();
      const faults: Fault[] = [];
      const server = new End(left, limits, {
        fault(fault) {
          faults.push(fault);
          return bytes('goodbye');
        },
      });
      const client = new End(right);
      t.ok(client.connection.send(Buffer.alloc(data, 'x'), nullFds(fds)));
      for (let i = 0; i < 50; i++) client.connection.send(bytes('never read'), nullFds(1));
      await until(() => server.closed && client.closed);
      t.strictSame(faults, [{ kind }]);
      t.strictSame(server.closes, [{ kind }]);
      t.strictSame(server.messages, []);
      t.strictSame(client.messages, ['goodbye']);
      t.strictSame(client.closes, [{ kind: 'hangup' }]);
      await sameFds(t, before);
    },
  );
}

t.test('fds-truncated: with the fd table full, the fds that arrived are closed', async (t) => {
  const before = openFds();
  const [left, right] = seqpacketPair();
  const server = new End(left, { maxFds: 253 }, { fault: () => bytes('goodbye') });
  const client = new End(right);
  client.connection.send(bytes('many'), nullFds(100));
  const fill: number[] = [];
  try {
    for (;;) fill.push(openSync('/dev/null', 'r'));
  } catch (error) {
    t.equal((error as NodeJS.ErrnoException).code, 'EMFILE');
  }
  for (const fd of fill.splice(0, 10)) closeSync(fd);
  await until(() => server.closed && client.closed);
  for (const fd of fill) closeSync(fd);
  t.strictSame(server.closes, [{ kind: 'fds-truncated' }]);
  t.strictSame(client.messages, ['goodbye']);
  await sameFds(t, before);
});

t.test('overflow: a peer that does not read is disconnected, and the queued fds are closed', async (t) => {
  for (const limits of [{ maxQueuedMessages: 8 }, { maxQueuedBytes: 100_000 }, { maxQueuedFds: 3 }]) {
    const before = openFds();
    const [left, right] = seqpacketPair();
    const faults: Fault[] = [];
    const server = new End(left, limits, {
      fault(fault) {
        faults.push(fault);
        return undefined;
      },
    });
    let max = 0;
    while (server.connection.send(Buffer.alloc(20_000), nullFds(1))) {
      max = Math.max(max, server.connection.queuedMessages);
    }
    t.ok(max >= 3 && max <= 8, `${max} messages were queued`);
    t.strictSame(server.closes, [], 'close is never emitted inside send');
    await until(() => server.closed);
    t.strictSame(faults, [{ kind: 'overflow' }]);
    t.strictSame(server.closes, [{ kind: 'overflow' }]);
    right.close();
    await sameFds(t, before);
  }
});

t.test('queued messages arrive in order once the peer reads, and end() flushes them', async (t) => {
  const before = openFds();
  const [left, right] = seqpacketPair();
  const server = new End(left, { maxQueuedFds: 100 });
  const client = new End(right, { maxFds: 1 });
  client.connection.pause();
  for (let i = 0; i < 100; i++) server.connection.send(Buffer.from(`${i}`.padEnd(10_000)), nullFds(1));
  t.ok(server.connection.queuedMessages > 0);
  server.connection.end(bytes('last'));
  t.equal(server.connection.send(bytes('after the end'), nullFds(1)), false);
  client.connection.resume();
  await until(() => server.closed && client.closed);
  t.strictSame(
    client.messages.map((message) => message.trim()),
    [...Array.from({ length: 100 }, (_, i) => `${i}`), 'last'],
  );
  t.equal(client.fds.length, 100);
  t.strictSame([server.closes, client.closes], [[{ kind: 'closed' }], [{ kind: 'hangup' }]]);
  for (const fd of client.fds) fd.close();
  await sameFds(t, before);
});

t.test('end() ends after a time limit if the peer never reads', async (t) => {
  const before = openFds();
  const [left, right] = seqpacketPair();
  const server = new End(left);
  while (server.connection.queuedMessages === 0) server.connection.send(Buffer.alloc(30_000), nullFds(1));
  const start = Date.now();
  server.connection.end();
  await until(() => server.closed, 10_000);
  t.ok(Date.now() - start > 4000 && Date.now() - start < 7000);
  right.close();
  await sameFds(t, before);
});

t.test('close() drops the queue at once; the peer still receives what was sent', async (t) => {
  const before = openFds();
  const [left, right] = seqpacketPair();
  const server = new End(left);
  const client = new End(right);
  client.connection.send(bytes('never read'));
  server.connection.send(bytes('sent'));
  server.connection.close();
  server.connection.close();
  t.strictSame(server.closes, [], 'close() does not emit the event inside the call');
  await until(() => server.closed && client.closed);
  t.strictSame([server.closes, client.closes], [[{ kind: 'closed' }], [{ kind: 'hangup' }]]);
  t.strictSame(client.messages, ['sent']);
  await sameFds(t, before);
});

t.test('a message above the limits throws, and its fds are closed', async (t) => {
  const before = openFds();
  const [left, right] = seqpacketPair();
  const server = new End(left, { maxMessageBytes: 10 });
  t.throws(() => server.connection.send(bytes(''), nullFds(2)), { code: 'INVALID_ARGUMENT' });
  t.throws(() => server.connection.send(bytes('eleven byte'), nullFds(2)), { code: 'INVALID_ARGUMENT' });
  t.throws(() => server.connection.send(bytes('x'), nullFds(254)), { code: 'INVALID_ARGUMENT' });
  const [one] = nullFds(1) as [OwnedFd];
  t.throws(() => server.connection.send(bytes('x'), [...nullFds(1), one, one]), /closed or taken/);
  t.equal(one.open, false);
  server.connection.close();
  right.close();
  await sameFds(t, before);
});

t.test('an exception in a handler is an uncaughtException, and the connection stays open', async (t) => {
  const before = openFds();
  const [left, right] = seqpacketPair();
  const client = new End(left);
  const seen: string[] = [];
  const server = new End(
    right,
    {},
    {
      message(data) {
        seen.push(data.toString());
        if (seen.length === 1) throw new Error('from the handler');
      },
    },
  );
  const caught = new Promise<Error>((resolve) => {
    process.once('uncaughtException', resolve);
  });
  client.connection.send(bytes('one'));
  client.connection.send(bytes('two'));
  t.match(await caught, /from the handler/);
  await until(() => seen.length === 2);
  client.connection.close();
  await until(() => server.closed);
  await sameFds(t, before);
});

t.test('connecting to a missing socket is UNAVAILABLE, and a stream socket is refused', async (t) => {
  const before = openFds();
  const handlers = { message() {}, close() {} };
  t.throws(() => connectSeqpacket('/nonexistent/s', handlers), {
    code: 'UNAVAILABLE',
    reason: /ENOENT \(2\)/,
    metadata: { syscall: 'connect', errno: 'ENOENT' },
  });
  t.throws(() => connectSeqpacket('x'.repeat(108), handlers), { code: 'INVALID_ARGUMENT' });
  t.throws(() => new Connection(new OwnedFd(openSync('/dev/null', 'r'), 'null'), handlers), {
    code: 'ENOTSOCK',
  });
  await sameFds(t, before);
});
