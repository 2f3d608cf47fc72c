/** watchAllocations(): yields every event while its consumer iterates. */
import { connectControl, type WatchedAllocation } from '@vkmemd/client';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { connected, PAGE } from './support.js';

const reported = ({ event, allocation }: WatchedAllocation): string =>
  `${String(event).replace('ALLOCATION_EVENT_', '')} ${allocation.name}`;

t.test('yields each event in order until the consumer stops', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using control = connectControl({ runtimeDir });
  const client = await connected(t, runtimeDir);
  await control.allocate({ size: PAGE, name: 'before' });
  const seen: string[] = [];
  let work: Promise<unknown> | undefined;
  for await (const event of control.watchAllocations({ existing: true })) {
    t.equal(event.sequence, BigInt(seen.length + 1));
    seen.push(reported(event));
    if (reported(event) === 'FREED during') break;
    work ??= (async () => {
      await using memory = await client.allocate({ size: PAGE, name: 'during' });
      await memory.free();
    })();
    // A slow consumer receives all events too.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await work;
  t.same(seen, ['CREATED before', 'CREATED during', 'GRANTED during', 'DRAINING during', 'FREED during']);
  await control.free({ name: 'before' });
});

t.test('ends when its signal aborts or the client is closed', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const control = connectControl({ runtimeDir });
  await control.allocate({ size: PAGE, name: 'there' });
  const enough = new AbortController();
  const watch = control.watchAllocations({ existing: true, signal: enough.signal });
  t.match((await watch.next()).value, { event: 'ALLOCATION_EVENT_CREATED', allocation: { name: 'there' } });
  const next = watch.next();
  enough.abort();
  t.same(await next, { done: true, value: undefined });
  for await (const _ of control.watchAllocations({ signal: enough.signal }))
    t.fail('it yielded after the abort');

  const cut = control.watchAllocations({ existing: true });
  await cut.next();
  const refused = t.rejects(cut.next(), { code: 'UNAVAILABLE', reason: 'The client was closed.' });
  await control.close();
  await refused;
  await using after = connectControl({ runtimeDir });
  await after.free({ name: 'there' });
});

t.test('ends when the daemon stops', async (t) => {
  const { runtimeDir, stop } = await startDaemon(t, { unchecked: true });
  await using control = connectControl({ runtimeDir });
  await control.allocate({ size: PAGE, name: 'there' });
  const watch = control.watchAllocations({ existing: true });
  await watch.next();
  const refused = t.rejects(watch.next(), { code: 'UNAVAILABLE', reason: 'The daemon is stopping.' });
  await stop();
  await refused;
});
