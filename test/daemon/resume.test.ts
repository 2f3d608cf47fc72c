/**
 * Sessions that continue in another process, on the wire: Hello with `resume` on a connection that has a
 * session.
 */
import { join } from 'node:path';
import {
  closeAll,
  encode,
  errorOf,
  HANDOFF_SOCKET,
  type OwnedFd,
  openSeqpacket,
  PROTOCOL_VERSION,
} from '@vkmemd/proto';
import t from 'tap';
import { assertCounts, startInProcess as startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

const MIB = 1024n * 1024n;
const HELLO = { protocolVersion: PROTOCOL_VERSION, clientName: 'inheritor' };
const MAPPABLE = { kinds: ['KIND_MAPPABLE'], grantKinds: ['KIND_MAPPABLE'] } as const;

/** A session, and a second fd of its socket, as an inheriting process has. */
async function leftSession(runtimeDir: string) {
  const socket = openSeqpacket(join(runtimeDir, HANDOFF_SOCKET));
  const left = socket.dup();
  const first = await HandoffWire.open(socket);
  return { first, left };
}

/** Two readers of one socket would receive each other's answers. */
function inheritorOf(
  first: HandoffWire,
  left: OwnedFd,
): Promise<Awaited<ReturnType<typeof HandoffWire.open>>> {
  first.connection.pause();
  return HandoffWire.open(left, true);
}

t.test('resume continues the session and restarts the sequence numbers', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const { first, left } = await leftSession(runtimeDir);
  const { message, fds } = await first.ask({ allocate: { ...MAPPABLE, sizeBytes: MIB } });
  const [grant] = message.allocate?.grants ?? [];
  await t.rejects(first.ask({ release: { grantId: 99n } }), { code: 'NOT_FOUND' });

  const inheritor = await inheritorOf(first, left);
  t.strictSame(
    inheritor.welcome,
    (first as typeof inheritor).welcome,
    'id, token and incarnation are the same',
  );
  await assertCounts(t, runtimeDir, { sessions: 1, allocations: 1, grants: 1, fds: 1, deviceMemories: 1 });
  const id = message.allocate?.allocation?.id ?? '';
  const claimed = await inheritor.ask({ claim: { allocation: { id }, kinds: ['KIND_MAPPABLE'] } });
  t.equal(
    claimed.message.sequence,
    2n,
    'this is the second message of the inheriting process, although the session had three before',
  );
  t.equal(claimed.fds.length, 1, "the inheriting process can claim the session's memory");
  await inheritor.ask({ release: { grantId: grant?.id ?? 0n } });
  closeAll([...fds, ...claimed.fds]);
  inheritor.send({ hello: { ...HELLO, resume: true } });
  t.match((await inheritor.next()).message, {
    sequence: 4n,
    welcome: { sessionId: inheritor.welcome.sessionId },
  });
  first.close();
  inheritor.close();
});

t.test('resume without a session opens one', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(openSeqpacket(join(runtimeDir, HANDOFF_SOCKET)), true);
  t.match(wire.welcome, { protocolVersion: PROTOCOL_VERSION, sessionToken: /./ });
  await assertCounts(t, runtimeDir, { sessions: 1 });
  wire.close();
});

t.test('an invalid Hello of an inheriting process ends the connection', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const cases: [string, (wire: HandoffWire) => void, object][] = [
    [
      'Hello again without resume',
      (wire) => wire.send({ hello: HELLO }),
      { code: 'PROTOCOL_ERROR', sequence: 2n },
    ],
    [
      'another version',
      (wire) => wire.send({ hello: { ...HELLO, protocolVersion: 99, resume: true } }),
      { code: 'VERSION_UNSUPPORTED', sequence: 2n },
    ],
    [
      'a name that is too long',
      (wire) => wire.send({ hello: { ...HELLO, clientName: 'n'.repeat(129), resume: true } }),
      { code: 'PROTOCOL_ERROR', sequence: 2n },
    ],
    [
      'sequence 0',
      (wire) =>
        wire.connection.send(encode('ClientMessage', { sequence: 0n, hello: { ...HELLO, resume: true } })),
      { code: 'PROTOCOL_ERROR', sequence: 0n },
    ],
  ];
  for (const [what, act, expected] of cases) {
    const wire = await HandoffWire.open(runtimeDir);
    act(wire);
    const { message } = await wire.next();
    const error = message.error;
    t.match({ sequence: message.sequence, code: codeOf(error) }, expected, what);
    t.strictSame(await wire.closed, [], `${what}: the connection ends`);
  }
});

t.test('resume while requests are in progress', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  wire.send({ allocate: { ...MAPPABLE, sizeBytes: 64n * MIB } });
  wire.send({ hello: { ...HELLO, resume: true } });
  const received = [await wire.next(), ...(await wire.closed)];
  const last = received.at(-1)?.message;
  t.match({ sequence: last?.sequence, code: codeOf(last?.error) }, { sequence: 3n, code: 'PROTOCOL_ERROR' });
  for (const { fds } of received) closeAll(fds);
});

t.test('resume while answers are unread: they come first, in order', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  wire.connection.pause();
  // More than the daemon sends to a client that does not read: what it has not read waits in the socket.
  for (let i = 0; i < 400; i += 1) wire.send({ release: { grantId: 99n } });
  wire.send({ hello: { ...HELLO, resume: true } });
  const other = await HandoffWire.open(runtimeDir);
  await other.ask({ getStatus: {} });
  other.close();
  t.ok(wire.connection.queuedMessages > 0, 'the daemon has stopped to read');
  wire.connection.resume();
  for (let sequence = 2n; sequence <= 401n; sequence += 1n) {
    const { message } = await wire.next();
    if (message.sequence !== sequence || codeOf(message.error) !== 'NOT_FOUND')
      return t.fail(`the answer to ${sequence} was ${message.sequence}: ${message.body}`);
  }
  t.match((await wire.next()).message, {
    sequence: 402n,
    welcome: { sessionId: wire.welcome.sessionId },
  });
  wire.close();
});

type Failure = Awaited<ReturnType<HandoffWire['next']>>['message']['error'];
const codeOf = (error: Failure | undefined): string | undefined => (error ? errorOf(error).code : undefined);
