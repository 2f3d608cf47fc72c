/** WatchAllocations: the order of the events, and that FREED is sent only when the bytes are free. */
import { once } from 'node:events';
import t from 'tap';
import { type AllocationReport, ControlWire } from '../support/control-wire.js';
import { assertCounts, startInProcess as startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { holdMapped } from '../support/holder.js';
import { dropped, eventsOf, gapless, isOf, kinds, nameOf, SMALL, watchingNow } from './watch-support.js';

t.test('a watcher receives every event of one allocation in order', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const control = new ControlWire(runtimeDir);
  const watching = control.watchAllocations();
  const wire = await HandoffWire.open(runtimeDir);
  await watchingNow(watching, wire);
  const began = Date.now() - 1000;
  const request = { sizeBytes: 8192n, kinds, grantKinds: kinds, name: 'x' };
  const { allocate } = dropped(await wire.ask({ allocate: request }));
  const id = allocate?.allocation?.id ?? '';
  const { claim } = dropped(
    await wire.ask({ claim: { allocation: { id }, kinds, access: 'ACCESS_READ_ONLY' } }),
  );
  await wire.ask({ release: { grantId: claim?.grants[0]?.id ?? 0n } });
  t.equal((await wire.ask({ free: { allocation: { id } } })).message.free?.freed, true);
  await watching.until(isOf(id, 'FREED'));
  t.strictSame(eventsOf(watching), ['CREATED', 'GRANTED', 'GRANTED', 'DRAINING', 'FREED']);
  const [created, first, second, draining, freed] = watching.reports;
  t.match(created, {
    allocation: { id, name: 'x', sizeBytes: 8192n, state: 'ALLOCATION_STATE_LIVE', grants: 0 },
    grantId: 0n,
    sessionId: 0n,
    kind: 'KIND_UNSPECIFIED',
    access: 'ACCESS_UNSPECIFIED',
  });
  const { sessionId } = wire.welcome;
  t.match(first, {
    grantId: allocate?.grants[0]?.id,
    sessionId,
    kind: 'KIND_MAPPABLE',
    access: 'ACCESS_READ_WRITE',
    allocation: { id, grants: 1 },
  });
  t.match(second, { grantId: claim?.grants[0]?.id, access: 'ACCESS_READ_ONLY', allocation: { grants: 2 } });
  t.match(draining, { allocation: { id, state: 'ALLOCATION_STATE_DRAINING' }, grantId: 0n });
  t.match(freed, { allocation: { id, state: 'ALLOCATION_STATE_FREED', grants: 0 } });
  t.ok(gapless(watching));
  const times = watching.reports.map(({ at }) => Number(at?.seconds) * 1000);
  t.ok(
    times.every((at) => at >= began - 1000 && at <= Date.now()),
    'with its time',
  );
  watching.cancel();
  control.close();
  wire.close();
});

t.test('FREED is sent when the last process releases the memory, not before', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const control = new ControlWire(runtimeDir);
  const wire = await HandoffWire.open(runtimeDir);
  const watching = control.watchAllocations();
  await watchingNow(watching, wire);
  const { allocation } = await control.call('Allocate', { ...SMALL, name: 'held' });
  const id = allocation?.id ?? '';
  const holder = await holdMapped(t, runtimeDir, 'held');
  await watching.until(isOf(id, 'GRANTED'));
  t.equal((await control.call('FreeAllocation', { allocation: { id } })).freed, false);
  await watching.until(isOf(id, 'DRAINING'));
  // Its session and its grant end first; the mapping stays, in a process without a connection.
  await holder.forgetSession();
  await assertCounts(t, runtimeDir, { sessions: 1, drainingAllocations: 1, fds: 1 });
  for (const name of ['a', 'b', 'c']) {
    await control.call('Allocate', { ...SMALL, name });
    await control.call('FreeAllocation', { allocation: { name } });
  }
  await watching.until(
    ({ allocation: reported, ...report }) =>
      reported?.name === 'c' && nameOf(report as AllocationReport) === 'FREED',
  );
  t.strictSame(
    watching.reports.filter((report) => report.allocation?.id === id).map(nameOf),
    ['CREATED', 'GRANTED', 'DRAINING'],
    'it is still mapped there',
  );
  holder.child.kill('SIGKILL');
  await once(holder.child, 'exit');
  t.match(await watching.until(isOf(id, 'FREED')), { allocation: { state: 'ALLOCATION_STATE_FREED' } });
  watching.cancel();
  control.close();
  wire.close();
});

t.test('a failed request is reported as far as it was executed', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const control = new ControlWire(runtimeDir);
  const wire = await HandoffWire.open(runtimeDir);
  const watching = control.watchAllocations();
  await watchingNow(watching, wire);
  await t.rejects(wire.ask({ allocate: { ...SMALL, sizeBytes: 0n } }), { code: 'INVALID_SIZE' });
  await t.rejects(wire.ask({ claim: { allocation: { name: 'none' }, kinds } }), { code: 'NOT_FOUND' });
  await control.call('Allocate', { ...SMALL, name: 'last' });
  await control.call('FreeAllocation', { allocation: { name: 'last' } });
  await watching.until((report) => nameOf(report) === 'FREED');
  t.strictSame(
    eventsOf(watching),
    ['CREATED', 'DRAINING', 'FREED'],
    'no event for steps that did not happen',
  );
  watching.cancel();
  control.close();
  wire.close();
});

t.test('a watcher first receives each existing allocation once, then the changes', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const control = new ControlWire(runtimeDir);
  const wire = await HandoffWire.open(runtimeDir);
  const names = Array.from({ length: 40 }, (_, at) => `existing-${at}`);
  for (const name of names) await control.call('Allocate', { ...SMALL, name });
  const retained = dropped(await wire.ask({ claim: { allocation: { name: 'existing-0' }, kinds } }));
  await control.call('FreeAllocation', { allocation: { name: 'existing-0' } });
  // Allocations change while watchers start: every watcher must end with the same view.
  let busy = true;
  const churn = (async () => {
    for (let round = 0; busy; round += 1) {
      const { allocate } = (await wire.ask({ allocate: SMALL })).message;
      if (round % 2 === 0) await wire.ask({ free: { allocation: { id: allocate?.allocation?.id ?? '' } } });
    }
  })();
  const watchers = [];
  for (let i = 0; i < 12; i += 1) {
    watchers.push(control.watchAllocations({ includeExisting: i % 4 !== 3 }));
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  busy = false;
  await churn;
  await control.call('Allocate', { ...SMALL, name: 'marker' });
  const { allocations } = await control.call('ListAllocations', {});
  for (const [at, watching] of watchers.entries()) {
    await watching.until(({ allocation }) => allocation?.name === 'marker');
    const known = new Map<string, string>();
    for (const { event, allocation } of watching.reports) {
      const id = allocation?.id ?? '';
      const name = String(event).replace('ALLOCATION_EVENT_', '');
      if (name === 'CREATED') {
        if (known.has(id)) t.fail(`${id} was created twice`);
        known.set(id, String(allocation?.state));
      } else if (at % 4 !== 3 && !known.has(id)) {
        t.fail(`${name} of ${id} came before its CREATED`);
      }
      if (name === 'DRAINING') known.set(id, String(allocation?.state));
      if (name === 'FREED') known.delete(id);
    }
    t.ok(
      gapless(watching) && watching.reports[0]?.sequence === 1n,
      'the events are numbered from 1 without a gap',
    );
    if (at % 4 === 3) continue;
    t.strictSame(
      [...known].sort(),
      allocations.map(({ id, state }) => [id, String(state)]).sort(),
      `watcher ${at} has the current state`,
    );
    watching.cancel();
  }
  for (const watching of watchers) watching.cancel();
  await wire.ask({ release: { grantId: retained.claim?.grants[0]?.id ?? 0n } });
  for (const name of [...names.slice(1), 'marker']) {
    await control.call('FreeAllocation', { allocation: { name } });
  }
  wire.close();
  control.close();
});
