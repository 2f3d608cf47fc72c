/** /metrics: valid in both formats, and changed only by the events that it counts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { until } from '../faults/support.js';
import { ControlWire } from '../support/control-wire.js';
import { ANYBODY, assertCounts, assertNoLeaks, root, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { get, parseMetrics, scrape } from './support.js';

const kinds = ['KIND_MAPPABLE'] as const;
const PAGE = 4096n;

t.test('both formats are valid and list the same metrics', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  await wire.ask({ allocate: { sizeBytes: PAGE, kinds } });
  const text = await get(runtimeDir, '/metrics');
  t.equal(text.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  const plain = parseMetrics(text.text);
  const accept = 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1';
  const open = await get(runtimeDir, '/metrics', { headers: { accept } });
  t.equal(open.headers['content-type'], 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  const strict = parseMetrics(open.text, true);
  const withoutTotal = (name: string) =>
    plain.get(name)?.type === 'counter' ? name.replace(/_total$/, '') : name;
  t.strictSame([...strict.keys()], [...plain.keys()].map(withoutTotal), 'the same metrics in both formats');
  const second = await get(runtimeDir, '/metrics', { headers: { accept: 'text/plain' } });
  t.strictSame(
    [...parseMetrics(second.text).keys()],
    [...plain.keys()],
    'a request for one format does not change the other',
  );
  const preferred = await get(runtimeDir, '/metrics', {
    headers: { accept: 'application/openmetrics-text;q=0.1, text/plain' },
  });
  t.match(preferred.headers['content-type'], /^text\/plain/, 'the format that the scraper prefers');
  for (const [name, { type, series }] of plain) {
    t.match(name, /^(vkmemd|process)_[a-z_]+$/);
    t.equal(name.endsWith('_total'), type === 'counter', `the suffix of ${name} matches its type`);
    for (const key of series.keys())
      t.notMatch(key, /uid|session=|name="[0-9a-f]{8}-/, 'no label names a single client');
  }
  const durations = plain.get('vkmemd_request_duration_seconds')?.series ?? [];
  const buckets = [...durations].filter(([key]) => /^_bucket .*operation="allocate"/.test(key));
  t.equal(buckets.length, 18, 'a bucket for each bound and +Inf');
  t.equal(buckets.at(-1)?.[1], 1);
  t.ok(
    buckets.every(([, count], at) => count >= (buckets[at - 1]?.[1] ?? 0)),
    'the counts of the buckets do not decrease',
  );
  wire.close();
});

t.test('concurrent scrapes', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const control = new ControlWire(runtimeDir);
  const rounds = 5;
  for (let i = 1; i <= rounds; i += 1) {
    await control.budget();
    const together = await Promise.all(Array.from({ length: 10 }, () => scrape(runtimeDir)));
    const seen = together.map((value) => value('vkmemd_requests_total', 'operation="GetBudget"'));
    t.strictSame(seen, Array(10).fill(i), 'each scrape is at least as recent as its request');
  }
  control.close();
});

t.test('gauges of allocations, grants, sessions and fds', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const nothing = await scrape(runtimeDir);
  for (const name of ['allocations', 'grants', 'sessions', 'device_memories', 'heap_live_bytes', 'tickets']) {
    t.equal(nothing(`vkmemd_${name}`), 0, name);
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  t.equal(nothing('vkmemd_build_info', `version="${version}"`), 1);
  t.equal(nothing('vkmemd_device_info', 'type="cpu"', 'driver="llvmpipe"'), 1);
  t.equal(nothing('vkmemd_heap_budget_estimated'), 1, 'lavapipe has no VK_EXT_memory_budget');
  t.equal(nothing('vkmemd_heap_pressure'), 1, 'exactly one pressure is set');
  const size = nothing('vkmemd_heap_size_bytes');
  t.equal(nothing('vkmemd_heap_available_bytes'), Math.floor((size * 4) / 5));
  const leased = nothing('vkmemd_fds_leased');
  t.equal(leased, 1, "the scraper's own connection");

  const wire = await HandoffWire.open(runtimeDir);
  const held = await wire.ask({ allocate: { sizeBytes: PAGE, kinds, grantKinds: kinds, name: 'held' } });
  await wire.ask({ allocate: { sizeBytes: PAGE * 4n, kinds } });
  const some = await scrape(runtimeDir);
  const rise = (name: string, ...labels: string[]) => some(name, ...labels) - nothing(name, ...labels);
  t.equal(rise('vkmemd_heap_live_bytes'), Number(PAGE * 5n));
  t.equal(rise('vkmemd_heap_available_bytes'), -Number(PAGE * 5n));
  t.equal(rise('vkmemd_allocations', 'state="LIVE"', 'lifetime="NAMED"'), 1);
  t.equal(rise('vkmemd_allocations', 'state="LIVE"', 'lifetime="SESSION"'), 1);
  t.equal(rise('vkmemd_allocations_with_kind', 'kind="MAPPABLE"'), 2);
  t.equal(rise('vkmemd_allocations_with_kind'), 2);
  t.equal(rise('vkmemd_grants', 'kind="MAPPABLE"'), 1);
  t.equal(rise('vkmemd_sessions'), 1);
  t.equal(rise('vkmemd_connections', 'plane="handoff"'), 1);
  t.equal(rise('vkmemd_device_memories'), 2);
  t.ok(rise('vkmemd_fds_leased') >= 4, 'a session has a socket and a pidfd, and each allocation a file');

  // Freed, but still held by an fd in this process.
  await wire.ask({ free: { allocation: { name: 'held' } } });
  const draining = await scrape(runtimeDir);
  t.equal(draining('vkmemd_heap_draining_bytes'), Number(PAGE));
  t.equal(draining('vkmemd_allocations', 'state="DRAINING"', 'lifetime="NAMED"'), 1);
  t.equal(draining('vkmemd_allocations', 'state="LIVE"'), 1);
  for (const fd of held.fds) fd.close();
  wire.close();
  await assertNoLeaks(t, runtimeDir);
  const end = await scrape(runtimeDir);
  for (const name of ['allocations', 'grants', 'sessions', 'device_memories', 'heap_draining_bytes']) {
    t.equal(end(`vkmemd_${name}`), 0, `${name} at the end`);
  }
  await until('the fds are closed', async () => (await scrape(runtimeDir))('vkmemd_fds_leased') === leased);
});

t.test('counters of requests, events and durations', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const control = new ControlWire(runtimeDir);
  await control.budget();
  const before = await scrape(runtimeDir);
  const wire = await HandoffWire.open(runtimeDir);
  for (let i = 0; i < 3; i += 1) await wire.ask({ allocate: { sizeBytes: PAGE, kinds, name: `a${i}` } });
  await t.rejects(wire.ask({ allocate: { sizeBytes: PAGE, kinds, name: 'a1' } }), { code: 'NAME_TAKEN' });
  await t.rejects(wire.ask({ claim: { allocation: { name: 'none' }, kinds } }), { code: 'NOT_FOUND' });
  const { fds } = await wire.ask({ claim: { allocation: { name: 'a0' }, kinds } });
  for (const fd of fds) fd.close();
  for (let i = 0; i < 2; i += 1) await control.budget();
  await t.rejects(control.call('GetAllocation', { allocation: { name: 'none' } }), { code: 'NOT_FOUND' });
  for (let i = 0; i < 3; i += 1) await wire.ask({ free: { allocation: { name: `a${i}` } } });
  wire.close();
  await assertNoLeaks(t, runtimeDir);
  const after = await scrape(runtimeDir);
  const rise = (name: string, ...labels: string[]) => after(name, ...labels) - before(name, ...labels);
  const requests = (plane: string, operation: string, code: string) =>
    rise('vkmemd_requests_total', `plane="${plane}"`, `operation="${operation}"`, `code="${code}"`);
  t.equal(requests('handoff', 'hello', 'OK'), 1);
  t.equal(requests('handoff', 'allocate', 'OK'), 3);
  t.equal(requests('handoff', 'allocate', 'NAME_TAKEN'), 1);
  t.equal(requests('handoff', 'claim', 'OK'), 1);
  t.equal(requests('handoff', 'claim', 'NOT_FOUND'), 1);
  t.equal(requests('handoff', 'free', 'OK'), 3);
  t.equal(rise('vkmemd_requests_total', 'plane="handoff"'), 10, 'no other requests');
  t.equal(requests('control', 'GetAllocation', 'NOT_FOUND'), 1);
  t.ok(requests('control', 'GetBudget', 'OK') >= 3, "the test's own and those of the leak check");
  t.equal(rise('vkmemd_session_events_total', 'BEGUN'), 1);
  t.equal(rise('vkmemd_session_events_total', 'ENDED'), 1);
  for (const [event, count] of [
    ['CREATED', 3],
    ['GRANTED', 1],
    ['PUBLISHED', 0],
    ['DRAINING', 3],
    ['FREED', 3],
  ] as const) {
    t.equal(rise('vkmemd_allocation_events_total', event), count, event);
  }
  const lasted = (end: string) =>
    rise('vkmemd_request_duration_seconds', `_${end} plane="handoff",operation="allocate"`);
  t.equal(lasted('count'), 4, 'refused requests are timed too');
  t.ok(lasted('sum') > 0 && lasted('sum') < 60);
  control.close();
});

t.test('refused connections and invalid requests are counted', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: `[limits]\nsessions = 4\n${ANYBODY}` });
  const wires = await Promise.all(Array.from({ length: 3 }, () => HandoffWire.open(runtimeDir)));
  await t.rejects(HandoffWire.open(runtimeDir), { code: 'TOO_MANY_SESSIONS' });
  wires.pop()?.close();
  await assertCounts(t, runtimeDir, { sessions: 2 });
  const wire = new HandoffWire(runtimeDir);
  await t.rejects(wire.ask({ release: { grantId: 1n } }), { code: 'PROTOCOL_ERROR' });
  const { closed } = wire;
  await closed;
  const now = await scrape(runtimeDir);
  const ended = (code: string) => now('vkmemd_requests_total', 'operation="connection"', `code="${code}"`);
  t.equal(ended('TOO_MANY_SESSIONS'), 1);
  t.equal(ended('PROTOCOL_ERROR'), 1);
  for (const each of wires) each.close();
});

t.test('a stream is counted when it ends, with its result', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const control = new ControlWire(runtimeDir);
  const watch = control.watchBudget();
  await watch.until(() => true);
  const during = await scrape(runtimeDir);
  t.equal(during('vkmemd_requests_total', 'operation="WatchBudget"'), 0);
  watch.cancel();
  let after = during;
  for (let i = 0; i < 200 && after('vkmemd_requests_total', 'operation="WatchBudget"') === 0; i += 1) {
    after = await scrape(runtimeDir);
  }
  t.equal(after('vkmemd_requests_total', 'operation="WatchBudget"', 'code="OK"'), 1);
  t.equal(
    after('vkmemd_request_duration_seconds', 'operation="WatchBudget"'),
    0,
    'the duration of a stream is not a latency',
  );
  control.close();
});
