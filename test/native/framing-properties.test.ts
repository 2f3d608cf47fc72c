/**
 * Properties of the socket's framing: anything that is sent, at any pace, arrives complete, in order and with
 * its fds; a message that violates a limit causes the matching fault; and no fd is left open on either side.
 */
import { deepStrictEqual, equal, ok, throws } from 'node:assert/strict';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Connection, pendingCloses, seqpacketPair, VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { fc } from '../support/properties.js';
import { closeFiles, content, copies, End, fdsUpTo, MAX_BYTES, MAX_FDS, rawPeer, sizes } from './framing.js';
import { openFds, sameFds, until } from './open-fds.js';

const CONVERSATIONS = 150;
const BREACHES = 400;
const REFUSALS = 200;
const LONG_MS = 20_000;
/** Per conversation: all of them may be queued. */
const FDS_IN_ALL = 600;
const EVERYTHING = { maxQueuedMessages: 1000, maxQueuedBytes: 1 << 28, maxQueuedFds: 10_000 };

t.teardown(closeFiles);

async function nothingLeft(before: number): Promise<void> {
  await until(() => pendingCloses() === 0 && openFds().size <= before, LONG_MS);
  equal(openFds().size, before, 'no fd is left');
}

const step = fc.record({
  from: fc.constantFrom(0 as const, 1 as const),
  message: fc.record({ size: sizes(1, MAX_BYTES), fds: fdsUpTo(MAX_FDS) }),
  after: fc.constantFrom('nothing', 'nothing', 'turn', 'wait', 'pause', 'resume', 'release'),
  to: fc.constantFrom(0 as const, 1 as const),
});
const steps = fc.array(step, { maxLength: 40, size: 'max' }).map((list) => {
  const sum = (upTo: number) =>
    list.slice(0, upTo + 1).reduce((all, { message }) => all + message.fds.length, 0);
  return list.filter((_, index) => sum(index) <= FDS_IN_ALL);
});

for (const untrusted of [false, true]) {
  const whom = untrusted ? 'an untrusted peer' : 'a peer';

  t.test(`messages of ${whom} arrive complete, in order and with their fds`, async (t) => {
    const before = openFds();
    const conversation = fc.asyncProperty(steps, fc.boolean(), async (list, keep) => {
      const sent = [0, 1].map((from) =>
        list.filter((each) => each.from === from).map(({ message }) => message),
      );
      const [one, other] = seqpacketPair();
      const limits = { ...EVERYTHING, maxFds: MAX_FDS };
      const ends = [
        new End(one, sent[1] ?? [], limits),
        new End(other, sent[0] ?? [], { ...limits, untrusted }, keep),
      ] as const;
      const counts = [0, 0];
      for (const { from, message, after, to } of list) {
        const n = counts[from] ?? 0;
        counts[from] = n + 1;
        ok(ends[from].connection.send(content(n, message.size), copies(message)), 'it is accepted');
        if (after === 'turn') await turn();
        else if (after === 'wait') await sleep(1);
        else if (after === 'pause') ends[to].connection.pause();
        else if (after === 'resume') ends[to].connection.resume();
        else if (after === 'release') ends[to].release();
      }
      for (const end of ends) end.connection.resume();
      await until(() => {
        // Open fds would block an untrusted peer.
        for (const end of ends) end.release();
        return ends.every(({ complete }) => complete);
      }, LONG_MS);
      ends[0].connection.end();
      await until(() => ends.every(({ closed }) => closed), LONG_MS);
      deepStrictEqual([ends[0].closes, ends[1].closes], [[{ kind: 'closed' }], [{ kind: 'hangup' }]]);
      await nothingLeft(before.size);
    });
    await fc.assert(conversation, { numRuns: CONVERSATIONS });
    await sameFds(t, before);
  });

  const limits = fc.record({
    maxMessageBytes: sizes(1, MAX_BYTES),
    maxFds: fc.oneof(fc.constantFrom(0, 1, 4), fc.nat(MAX_FDS)),
  });
  const breaches = limits.chain(({ maxMessageBytes, maxFds }) =>
    fc.record({
      limits: fc.constant({ maxMessageBytes, maxFds, untrusted }),
      messages: fc.array(
        fc.record({
          size: sizes(0, maxMessageBytes, 10),
          fds: fc.oneof(fdsUpTo(maxFds), fdsUpTo(Math.min(maxFds + 2, MAX_FDS))),
        }),
        { maxLength: 8, size: 'max' },
      ),
    }),
  );

  t.test(`the first message of ${whom} that violates a limit is the last`, async (t) => {
    const before = openFds();
    const kinds = new Map<string, number>();
    const breach = fc.asyncProperty(breaches, async ({ limits, messages }) => {
      const faultOf = ({ size, fds }: (typeof messages)[number]) => {
        if (size > limits.maxMessageBytes) return 'message-too-large';
        return fds.length > limits.maxFds ? 'unsolicited-fds' : undefined;
      };
      const good = messages.findIndex((message) => faultOf(message) !== undefined);
      const kind = good < 0 ? undefined : faultOf(messages[good] as (typeof messages)[number]);
      kinds.set(kind ?? 'none', (kinds.get(kind ?? 'none') ?? 0) + 1);
      const [one, other] = seqpacketPair();
      const heard: (string | undefined)[] = [];
      const end = new End(one, kind ? messages.slice(0, good) : messages, limits);
      const peer = rawPeer(other, (text) => heard.push(text));
      for (const [n, message] of messages.entries()) {
        const fds = copies(message).map((fd) => fd.take());
        equal(peer.send(content(n, message.size), fds), 1, 'it is accepted');
      }
      await until(() => end.complete && (kind === undefined || end.closed), LONG_MS);
      if (kind === undefined) peer.close();
      await until(() => end.closed && heard.at(-1) === undefined && heard.length > 0, LONG_MS);
      deepStrictEqual(end.faults, kind ? [kind] : []);
      deepStrictEqual(end.closes, [{ kind: kind ?? 'hangup' }]);
      deepStrictEqual(heard, kind ? ['goodbye', undefined] : [undefined]);
      equal(end.complete, true, 'no further message arrived');
      await nothingLeft(before.size);
    });
    await fc.assert(breach, { numRuns: BREACHES });
    t.ok(kinds.size === 3, [...kinds].map((entry) => entry.join(': ')).join(', '));
    await sameFds(t, before);
  });
}

t.test('a message that may not be sent is refused, and its fds are closed', async (t) => {
  const before = openFds();
  const attempt = fc.record({
    maxMessageBytes: fc.integer({ min: 1, max: MAX_BYTES }),
    size: fc.oneof(fc.constantFrom(0, 1), fc.nat(MAX_BYTES + 5)),
    fds: fc.oneof(fdsUpTo(3), fdsUpTo(MAX_FDS + 3)),
  });
  let refused = 0;
  const refusal = fc.asyncProperty(attempt, async ({ maxMessageBytes, ...message }) => {
    const [one, other] = seqpacketPair();
    let closed = false;
    const connection = new Connection(
      one,
      { message: () => {}, close: () => (closed = true) },
      { maxMessageBytes },
    );
    const { size, fds } = message;
    const send = () => connection.send(content(0, size), copies(message));
    if (size === 0 || size > maxMessageBytes || fds.length > MAX_FDS) {
      throws(send, (failure) => failure instanceof VkmemError && failure.code === 'INVALID_ARGUMENT');
      refused += 1;
    } else {
      equal(send(), true);
    }
    connection.close();
    other.close();
    await until(() => closed, LONG_MS);
    await nothingLeft(before.size);
  });
  await fc.assert(refusal, { numRuns: REFUSALS });
  t.ok(refused > 0 && refused < REFUSALS, `${refused} of ${REFUSALS} were refused`);
  await sameFds(t, before);
});
