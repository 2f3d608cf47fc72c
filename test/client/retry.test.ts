/**
 * Requests whose answer was lost on the handoff socket: which of them are repeated to a daemon (a fake) that
 * restored the session, and the error of those that are not.
 */
import { once } from 'node:events';
import type { Client } from '@vkmemd/client';
import { type Decoded, statusOf, VkmemError } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { ALLOCATION, greet, type Reply, type Script, startFakeDaemon } from './fake-daemon.js';
import { connected } from './support.js';

type Request = Decoded<'ClientMessage'>;

/** A daemon that closes the connection at the requests with these numbers, and answers all others. */
async function forgetful(t: Test, answer: (request: Request) => Reply['message'], losses = [1]) {
  const seen: Request[] = [];
  const restoring: Script = (request, fds) =>
    greet(request, fds).map(({ message }) => {
      const { welcome } = message as { welcome?: object };
      return { message: { sequence: request.sequence, welcome: { ...welcome, restored: true } } };
    });
  const daemon = startFakeDaemon(
    t,
    (request) => {
      seen.push(request);
      if (!losses.includes(seen.length)) return [{ message: answer(request) }];
      daemon.hangUp();
      return [];
    },
    restoring,
  );
  const client: Client = await connected(t, daemon.runtimeDir);
  return { client, seen };
}

const refusal = (sequence: bigint, code: 'NOT_FOUND' | 'TICKET_INVALID') => ({
  sequence,
  error: statusOf(new VkmemError(code)),
});

t.test('a publish is repeated', async (t) => {
  const { client, seen } = await forgetful(t, ({ sequence }) => ({
    sequence,
    publish: { allocation: ALLOCATION },
  }));
  t.match(await client.publish({ id: 'fake' }), { id: 'fake' });
  t.strictSame(
    seen.map(({ body }) => body),
    ['publish', 'publish'],
  );
});

t.test('a free by id is repeated, and NOT_FOUND means that it was freed', async (t) => {
  const { client, seen } = await forgetful(t, ({ sequence }) => refusal(sequence, 'NOT_FOUND'));
  t.strictSame(await client.free({ id: 'fake' }), { allocation: null, freed: false });
  t.equal(seen.length, 2);
});

t.test('an allocate is repeated with its request id', async (t) => {
  const { client, seen } = await forgetful(t, ({ sequence }) => ({
    sequence,
    allocate: { allocation: ALLOCATION, grants: [] },
  }));
  await client.allocate({ size: 1 });
  const ids = seen.map(({ allocate }) => allocate?.requestId);
  t.equal(ids.length, 2);
  t.ok(ids[0] && ids[0] === ids[1], 'the same id');
});

t.test('a claim is repeated, with a use less of its ticket', async (t) => {
  const { client, seen } = await forgetful(t, ({ sequence }) => refusal(sequence, 'TICKET_INVALID'));
  await t.rejects(client.claim({ ticket: 's'.repeat(43) }), { code: 'TICKET_INVALID' });
  t.equal(seen.length, 2);
});

t.test('the opening of a signal is repeated', async (t) => {
  const { client, seen } = await forgetful(t, ({ sequence }) => refusal(sequence, 'TICKET_INVALID'));
  await t.rejects(client.signals.open('secret'), { code: 'TICKET_INVALID' });
  t.strictSame(
    seen.map(({ body }) => body),
    ['openSignal', 'openSignal'],
  );
});

t.test('a memory whose free was under way at two deaths can be freed again', async (t) => {
  const { client, seen } = await forgetful(
    t,
    ({ sequence, allocate }) =>
      allocate
        ? { sequence, allocate: { allocation: ALLOCATION, grants: [] } }
        : refusal(sequence, 'NOT_FOUND'),
    [2, 3],
  );
  const memory = await client.allocate({ size: 1 });
  const metadata = { retryable: 'true', outcome: 'unknown', attempts: '2' };
  await t.rejects(memory.free(), { code: 'UNAVAILABLE', metadata });
  const again = memory.free();
  t.strictSame(await again, { allocation: null, freed: false }, 'NOT_FOUND means that it was freed');
  t.equal(memory.free(), again);
  t.equal(seen.filter(({ body }) => body === 'free').length, 3);
});

const NOT_REPEATED: [string, (client: Client) => Promise<unknown>][] = [
  ['a free by name', (client) => client.free({ name: 'frames' })],
  ['a publish by name', (client) => client.publish({ name: 'frames' })],
  ['a ticket', (client) => client.createTicket({ id: 'fake' })],
  ['a signal', (client) => client.signals.create()],
];
for (const [what, ask] of NOT_REPEATED) {
  t.test(`${what} is not repeated`, async (t) => {
    const { client, seen } = await forgetful(t, ({ sequence }) => refusal(sequence, 'TICKET_INVALID'));
    const reconnected = once(client, 'reconnected');
    const metadata = { retryable: 'true', outcome: 'unknown', attempts: '1' };
    await t.rejects(ask(client), { code: 'UNAVAILABLE', metadata });
    await reconnected;
    t.equal(seen.length, 1);
  });
}
