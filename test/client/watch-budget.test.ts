/**
 * watchBudget(): yields each report, and every way in which it ends. The control socket is a fake that
 * changes its budget on demand.
 */
import { getEventListeners, once } from 'node:events';
import { connectControl } from '@vkmemd/client';
import { VkmemError } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { temporaryFolder } from '../support/daemon.js';
import { type BudgetStream, COUNTS, HEAP, refusal, startFakeControl } from './fake-control.js';
import { ALLOCATION, startFakeDaemon } from './fake-daemon.js';
import { connected } from './support.js';

const report = (allocations: number) => ({
  heaps: [{ ...HEAP, pressure: 'PRESSURE_ELEVATED' as const }],
  counts: { ...COUNTS, allocations },
  pressure: 'PRESSURE_ELEVATED' as const,
});

/** A fake that sends one report in every stream at once; `streams` are the daemon's ends. */
async function start(t: Test, runtimeDir = temporaryFolder(t)) {
  const streams: BudgetStream[] = [];
  const fake = await startFakeControl(t, runtimeDir, {
    WatchBudget: (stream) => {
      streams.push(stream);
      stream.write(report(streams.length));
    },
  });
  return { runtimeDir, streams, ...fake };
}

async function cancelled(t: Test, stream: BudgetStream | undefined): Promise<void> {
  if (stream && !stream.cancelled) await once(stream, 'cancelled');
  t.equal(stream?.cancelled, true, "the daemon's stream is cancelled");
}

t.test('yields each report until the consumer stops', async (t) => {
  const { runtimeDir, streams } = await start(t);
  await using control = connectControl({ runtimeDir });
  const seen: [number, string][] = [];
  for await (const { heaps, counts, pressure } of control.watchBudget()) {
    seen.push([counts.allocations, pressure]);
    t.equal(heaps[0]?.sizeBytes, HEAP.sizeBytes, 'byte counts are bigint');
    t.equal(heaps[0]?.pressure, 'PRESSURE_ELEVATED');
    if (seen.length === 3) break;
    streams[0]?.write(report(10 * seen.length));
  }
  t.same(seen, [
    [1, 'PRESSURE_ELEVATED'],
    [10, 'PRESSURE_ELEVATED'],
    [20, 'PRESSURE_ELEVATED'],
  ]);
  await cancelled(t, streams[0]);
});

t.test('ends when its signal aborts', async (t) => {
  const { runtimeDir, streams } = await start(t);
  await using control = connectControl({ runtimeDir });
  const enough = new AbortController();
  const { signal } = enough;
  for (let round = 0; round < 20; round += 1) {
    for await (const _ of control.watchBudget({ signal })) break;
  }
  t.equal(getEventListeners(signal, 'abort').length, 0, 'no listeners remain on a long-lived signal');

  const waiting = control.watchBudget({ signal });
  t.equal((await waiting.next()).value?.counts.allocations, 21);
  const next = waiting.next();
  enough.abort();
  t.same(await next, { done: true, value: undefined }, 'also during a wait');
  await cancelled(t, streams.at(-1));
  t.equal(getEventListeners(signal, 'abort').length, 0);
  for await (const _ of control.watchBudget({ signal })) t.fail('it yielded after the abort');
  t.equal(streams.length, 21, 'no request is sent then');
});

t.test('reports that are queued when the signal aborts are dropped', async (t) => {
  const { runtimeDir, streams } = await start(t);
  await using control = connectControl({ runtimeDir });
  const enough = new AbortController();
  let seen = 0;
  for await (const { counts } of control.watchBudget({ signal: enough.signal })) {
    seen += 1;
    if (counts.allocations !== 1) continue;
    for (let more = 2; more < 6; more += 1) streams[0]?.write(report(more));
    await new Promise((resolve) => setTimeout(resolve, 50));
    enough.abort();
  }
  t.equal(seen, 1);
});

t.test('ends when the daemon stops or the client is closed', async (t) => {
  const first = await start(t);
  await using control = connectControl({ runtimeDir: first.runtimeDir });
  const lost = control.watchBudget();
  await lost.next();
  first.close();
  await t.rejects(lost.next(), { code: 'UNAVAILABLE' }, 'a daemon that was killed');
  t.same(await lost.next(), { done: true, value: undefined }, 'the error is reported once');

  const { runtimeDir, streams } = await start(t);
  const closing = connectControl({ runtimeDir });
  const ended = closing.watchBudget();
  await ended.next();
  streams[0]?.end();
  await t.rejects(ended.next(), { code: 'UNAVAILABLE' }, 'a daemon that ends the stream');
  const cut = closing.watchBudget();
  await cut.next();
  const refused = t.rejects(cut.next(), { code: 'UNAVAILABLE', reason: 'The client was closed.' });
  await closing.close();
  await refused;
  await t.rejects(closing.watchBudget().next(), { code: 'UNAVAILABLE' }, 'later watches');
  const nobody = connectControl({ runtimeDir: temporaryFolder(t) });
  await t.rejects(nobody.watchBudget().next(), { code: 'UNAVAILABLE' }, 'no daemon');
  await nobody.close();
});

t.test('an error of the daemon is rejected with its code', async (t) => {
  const runtimeDir = temporaryFolder(t);
  await startFakeControl(t, runtimeDir, {
    WatchBudget: (stream) => stream.emit('error', refusal(new VkmemError('DEVICE_LOST'))),
  });
  await using control = connectControl({ runtimeDir });
  await t.rejects(control.watchBudget().next(), { name: 'VkmemError', code: 'DEVICE_LOST' });
});

t.test('a watch by a client with a session ends with that session', async (t) => {
  const { runtimeDir } = startFakeDaemon(t, ({ sequence }) => [
    { message: { sequence, allocate: { allocation: ALLOCATION, grants: [] } } },
  ]);
  await start(t, runtimeDir);
  const client = await connected(t, runtimeDir);
  const watch = client.watchBudget();
  t.equal((await watch.next()).value?.pressure, 'PRESSURE_ELEVATED');
  const refused = t.rejects(watch.next(), { code: 'UNAVAILABLE' });
  await client.close();
  await refused;
  await t.rejects(client.watchBudget().next(), { code: 'UNAVAILABLE' });
});
