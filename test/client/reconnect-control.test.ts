/**
 * The control socket over a restart: calls that only read are repeated, calls that change something report an
 * unknown outcome, a budget watch continues and an allocation watch ends. Both sockets are fakes.
 */
import { once } from 'node:events';
import { type Client, connectControl } from '@vkmemd/client';
import { SESSION_METADATA, VkmemError } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { ScriptedDaemon } from '../support/scripted-daemon.js';
import { COUNTS, type FakeAnswers, HEAP, startFakeControl } from './fake-control.js';
import { connected } from './support.js';

const budget = { heaps: [HEAP], counts: COUNTS };
const REPORT = { ...budget, pressure: 'PRESSURE_NORMAL' as const };

/** Both sockets, and a client that has made a gRPC call. */
async function start(t: Test, answers: FakeAnswers, client: { reconnectMs?: number } = {}) {
  const daemon = new ScriptedDaemon(t);
  const serve = () => startFakeControl(t, daemon.runtimeDir, { GetBudget: () => budget, ...answers });
  const control = await serve();
  const made = await connected(t, daemon.runtimeDir, client);
  await made.budget();
  return { daemon, serve, control, client: made };
}

const tokenOf = (metadata: { get(key: string): unknown[] }) => String(metadata.get(SESSION_METADATA)[0]);

t.test('a call that only reads is repeated', async (t) => {
  const { daemon, serve, control, client } = await start(t, {});
  daemon.crash();
  control.close();
  const asked = [client.budget(), client.budget()];
  await once(client, 'reconnecting');
  const meanwhile = client.budget();
  daemon.start();
  await once(client, 'reconnected');
  await new Promise((resolve) => setTimeout(resolve, 50));
  await serve();
  for (const { counts } of await Promise.all([...asked, meanwhile])) t.match(counts, COUNTS);
});

t.test('a call that changes something is not repeated', async (t) => {
  let transfers = 0;
  const { daemon, serve, control, client } = await start(t, {
    Transfer: () => {
      transfers += 1;
      daemon.crash();
      control.close();
      return {};
    },
  });
  const fill = { to: { id: 'x' }, pattern: 1 };
  const metadata = { retryable: 'true', outcome: 'unknown' };
  await t.rejects(client.transfer({ fill }), { code: 'UNAVAILABLE', metadata });
  t.equal(transfers, 1, 'the daemon received it once');
  daemon.start();
  await serve();
  t.ok(await client.budget());
});

t.test('an Allocate is repeated with its request id', async (t) => {
  const asked: string[] = [];
  const lose = (): boolean => {
    if (asked.length % 2 === 0) return false;
    daemon.crash();
    control.close();
    return true;
  };
  const { daemon, serve, control, client } = await start(t, {
    Allocate: ({ requestId }) => {
      asked.push(requestId);
      return lose() ? {} : { allocation: { id: 'x' } };
    },
  });
  const made = client.control.allocate({ size: 1 });
  await once(client, 'reconnecting');
  daemon.start();
  await serve();
  t.match(await made, { id: 'x' });
  t.ok(asked[0] && asked[0] === asked[1], 'both requests have the same id');
});

t.test('a free whose answer was lost is repeated by id in a restored session', async (t) => {
  for (const [restores, ref] of [
    [true, { id: 'x' }],
    [false, { id: 'x' }],
    [true, { name: 'x' }],
  ] as const) {
    let asked = 0;
    const { daemon, serve, control, client } = await start(t, {
      FreeAllocation: () => {
        asked += 1;
        if (asked > 1) throw new VkmemError('NOT_FOUND');
        daemon.restores = restores;
        daemon.crash();
        control.close();
        return {};
      },
    });
    const freed = client.control.free(ref).catch((failure: unknown) => failure);
    const reconnecting = once(client, 'reconnecting');
    await reconnecting;
    daemon.start();
    await serve();
    const repeated = restores && 'id' in ref;
    if (repeated)
      t.same(await freed, { allocation: null, freed: false }, 'by id, NOT_FOUND means that it was freed');
    else t.match(await freed, { code: 'UNAVAILABLE', metadata: { outcome: 'unknown', attempts: '1' } });
    t.equal(asked, repeated ? 2 : 1, `${JSON.stringify(ref)}, restored: ${restores}`);
    await client.close();
  }
});

t.test('a call that was interrupted twice is not sent a third time', async (t) => {
  let asked = 0;
  const lethal: FakeAnswers = {
    ListAllocations: () => {
      asked += 1;
      daemon.crash();
      control.close();
      return {};
    },
  };
  const started = await start(t, lethal);
  const { daemon, serve, client } = started;
  let { control } = started;
  client.on('reconnecting', () => {
    if (asked > 1) return;
    daemon.start();
    serve().then((second) => {
      control = second;
    }, t.fail);
  });
  const metadata = { outcome: 'unknown', attempts: '2' };
  await t.rejects(client.list(), { code: 'UNAVAILABLE', metadata });
  t.equal(asked, 2);
  await client.close();
});

t.test('a restart that the control socket notices first starts the reconnection', async (t) => {
  const tokens: string[] = [];
  const { daemon, client } = await start(t, {
    GetBudget: (_request, metadata) => {
      tokens.push(tokenOf(metadata));
      if (tokens.length === 2) {
        setImmediate(() => daemon.restart());
        throw new VkmemError('STALE_INCARNATION');
      }
      return budget;
    },
  });
  const { token } = client.session;
  t.ok(await client.budget());
  t.same(
    tokens,
    [token, token, client.session.token],
    'the call waits and uses the token of the new session',
  );
  t.not(client.session.token, token);
});

t.test('a token that is refused permanently is an error', async (t) => {
  const { client } = await start(t, {
    Transfer: () => {
      throw new VkmemError('SESSION_INVALID');
    },
  });
  await t.rejects(client.transfer({ sync: { id: 'x' } }), { code: 'SESSION_INVALID' });
});

t.test('watchBudget() continues after a restart', async (t) => {
  const { daemon, serve, control, client } = await start(t, {
    WatchBudget: (stream) => stream.write(REPORT),
  });
  const enough = new AbortController();
  const watch = client.watchBudget({ signal: enough.signal });
  t.equal((await watch.next()).value?.pressure, 'PRESSURE_NORMAL');
  const next = watch.next();
  daemon.crash();
  control.close();
  await once(client, 'reconnecting');
  daemon.start();
  await serve();
  t.equal((await next).value?.pressure, 'PRESSURE_NORMAL', 'with a report of the restarted daemon');
  const last = watch.next();
  daemon.crash();
  await once(client, 'reconnecting');
  enough.abort();
  t.same(await last, { done: true, value: undefined }, 'it ends at once on abort, also without a daemon');
});

t.test('a watch without reports for longer than reconnectMs continues too', async (t) => {
  const answers: FakeAnswers = { WatchBudget: (stream) => stream.write(REPORT) };
  const { daemon, serve, control, client } = await start(t, answers, { reconnectMs: 5000 });
  await client.allocate({ size: 1 });
  const watch = client.watchBudget();
  await watch.next();
  const next = watch.next();
  await new Promise((resolve) => setTimeout(resolve, 5500));
  daemon.crash();
  control.close();
  await once(client, 'reconnecting');
  daemon.start();
  await serve();
  t.equal((await next).value?.pressure, 'PRESSURE_NORMAL');
});

t.test('watchAllocations() ends with the daemon', async (t) => {
  const { daemon, control, client } = await start(t, {
    WatchAllocations: (stream) => stream.write({ sequence: 1n, allocation: { id: 'x' } }),
  });
  const watch = client.control.watchAllocations();
  t.equal((await watch.next()).value?.allocation.id, 'x');
  const refused = t.rejects(watch.next(), {
    code: 'UNAVAILABLE',
    reason: /Events may have been missed: start a new watch/,
    metadata: { retryable: 'true' },
  });
  daemon.crash();
  control.close();
  await refused;
});

t.test('close() rejects waiting calls', async (t) => {
  const { daemon, control, client } = await start(t, { WatchBudget: (stream) => stream.write(REPORT) });
  const watch = client.watchBudget();
  await watch.next();
  daemon.crash();
  control.close();
  const closed = { code: 'UNAVAILABLE' };
  const ends: Promise<unknown>[] = [client.budget(), client.transfer({ sync: { id: 'x' } }), watch.next()];
  const refused = ends.map((end) => t.rejects(() => end, closed));
  await once(client, 'reconnecting');
  await client.close();
  await Promise.all(refused);
});

t.test('a call fails when reconnectMs is over', async (t) => {
  const { daemon, control, client } = await start(t, {}, { reconnectMs: 200 });
  // Held memory keeps this process alive and the session reconnecting.
  await client.allocate({ size: 1 });
  daemon.crash();
  control.close();
  await t.rejects(client.budget(), { code: 'UNAVAILABLE' });
  await client.close();
});

t.test('a socket that never existed is not waited for', async (t) => {
  const daemon = new ScriptedDaemon(t);
  const client: Client = await connected(t, daemon.runtimeDir);
  await t.rejects(client.budget(), { code: 'UNAVAILABLE', reason: /ENOENT/ });
});

t.test('a control client without a session repeats calls only with reconnectMs', async (t) => {
  const { daemon, serve, control } = await start(t, {});
  await using once = connectControl({ runtimeDir: daemon.runtimeDir });
  await using patient = connectControl({ runtimeDir: daemon.runtimeDir, reconnectMs: 60_000 });
  await Promise.all([once.budget(), patient.budget()]);
  control.close();
  await t.rejects(
    once.budget(),
    { code: 'UNAVAILABLE', metadata: { retryable: 'true' } },
    'one attempt by default',
  );
  const asked = patient.budget();
  await new Promise((resolve) => setTimeout(resolve, 200));
  await serve();
  t.match((await asked).counts, COUNTS);
});
