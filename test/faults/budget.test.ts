/**
 * All budgets that VK_EXT_memory_budget permits, and none, and the allocations that a real daemon admits with
 * them.
 */
import type { Decoded } from '@vkmemd/proto';
import t from 'tap';
import { allocate, claim, type FakeHost, onFake, PAGE, refusalOf, release, wireKinds } from './support.js';

const MIB = 1n << 20n;
const mappable = wireKinds('MAPPABLE');
const opaque = wireKinds('OPAQUE_FD');

async function heap(host: FakeHost): Promise<Decoded<'HeapBudget'>> {
  const [first] = (await host.control.budget()).heaps;
  if (!first) throw new Error('no heap');
  return first;
}

t.test('a budget of 0 admits nothing, and frees nothing', async (t) => {
  await onFake(t, ['budget 0 0 live'], async (host) => {
    const wire = await host.session();
    const nothing = { availableBytes: 0n, pressure: 'PRESSURE_CRITICAL', source: 'BUDGET_SOURCE_EXT' };
    t.match(await heap(host), { ...nothing, driverBudgetBytes: 0n });
    const asked = host.layer.calls('vkAllocateMemory').length;
    const refusal = await refusalOf(allocate(wire, { sizeBytes: PAGE, kinds: mappable }));
    t.match(refusal, {
      code: 'BUDGET_EXCEEDED',
      metadata: { available_bytes: '0', requested_bytes: '4096' },
    });
    t.equal(host.layer.calls('vkAllocateMemory').length, asked, 'refused before a driver call');
    host.layer.script('budget present');
    const made = await allocate(wire, { sizeBytes: PAGE, kinds: opaque });
    host.layer.script('budget 0 0 live');
    t.match(await heap(host), { ...nothing, liveBytes: PAGE, driverUsageBytes: PAGE });
    await host.fill(made.id, 1);
    const second = await claim(wire, made.id, 'OPAQUE_FD');
    for (const fd of second.fds) fd.close();
    await release(made);
  });
});

t.test("a budget above the heap's size is reported, and admits at most the heap", async (t) => {
  const max = 2n ** 64n - 1n;
  await onFake(t, [`budget 0 ${max} live`], async (host) => {
    const wire = await host.session();
    const { sizeBytes, availableBytes, driverBudgetBytes, pressure } = await heap(host);
    t.equal(availableBytes, sizeBytes);
    t.equal(pressure, 'PRESSURE_NORMAL');
    t.equal(driverBudgetBytes, 2n ** 63n - 1n, 'the largest value of the field');
    await t.rejects(allocate(wire, { sizeBytes: sizeBytes + PAGE, kinds: opaque }), {
      code: 'SIZE_ABOVE_MAXIMUM',
    });
    const made = await allocate(wire, { sizeBytes: MIB, kinds: opaque });
    const above = { sizeBytes: sizeBytes - (sizeBytes % PAGE), kinds: opaque };
    await t.rejects(allocate(wire, above), { code: 'BUDGET_EXCEEDED' });
    host.layer.script(`budget 0 ${sizeBytes * 2n} live`);
    t.match(await heap(host), { driverBudgetBytes: sizeBytes * 2n, availableBytes: sizeBytes - MIB });
    await release(made);
  });
});

t.test('bytes that the process uses outside allocations are not available', async (t) => {
  await onFake(t, [`budget 0 ${10n * MIB} ${6n * MIB}`], async (host) => {
    const wire = await host.session();
    t.match(await heap(host), { availableBytes: 4n * MIB, driverUsageBytes: 6n * MIB, liveBytes: 0n });
    await t.rejects(allocate(wire, { sizeBytes: 5n * MIB, kinds: mappable }), { code: 'BUDGET_EXCEEDED' });
    await release(await allocate(wire, { sizeBytes: 4n * MIB, kinds: mappable }));
  });
});

t.test('when the budget shrinks under load, allocations stay and new ones are refused', async (t) => {
  await onFake(t, ['budget present'], async (host) => {
    const wire = await host.session();
    const made = await allocate(wire, { sizeBytes: 10n * MIB, kinds: mappable, name: 'kept' });
    const watching = host.control.watchBudget();
    await watching.until(({ pressure }) => pressure === 'PRESSURE_NORMAL');
    host.layer.script(`budget 0 ${40n * MIB} live`, `budget_shrink 0 ${4n * MIB}`);
    await watching.until(({ pressure }) => pressure === 'PRESSURE_ELEVATED');
    const critical = await watching.until(({ pressure }) => pressure === 'PRESSURE_CRITICAL');
    t.match(critical.heaps[0], { liveBytes: 10n * MIB, pressure: 'PRESSURE_CRITICAL' });
    const seen = watching.reports.map(({ pressure }) => pressure);
    const first = (pressure: Decoded<'WatchBudgetResponse'>['pressure']) => seen.indexOf(pressure);
    t.ok(
      first('PRESSURE_ELEVATED') < first('PRESSURE_CRITICAL'),
      'a watcher receives ELEVATED before CRITICAL',
    );
    await watching.until(({ heaps }) => heaps[0]?.driverBudgetBytes === 0n);
    watching.cancel();
    await watching.ended;
    await t.rejects(allocate(wire, { sizeBytes: PAGE, kinds: mappable }), { code: 'BUDGET_EXCEEDED' });
    await host.fill(made.id, 3);
    t.match((await host.control.call('GetAllocation', { allocation: { name: 'kept' } })).allocation, {
      state: 'ALLOCATION_STATE_LIVE',
      sizeBytes: 10n * MIB,
    });
    host.layer.script('budget present');
    await release(await allocate(wire, { sizeBytes: PAGE, kinds: mappable }));
    await release(made);
  });
});

t.test('without the extension the budget is estimated', async (t) => {
  await onFake(t, ['budget absent'], async (host) => {
    const { sizeBytes, ...found } = await heap(host);
    t.match(found, { source: 'BUDGET_SOURCE_ESTIMATED', driverBudgetBytes: (sizeBytes * 4n) / 5n });
    const wire = await host.session();
    const above = { sizeBytes: found.availableBytes + PAGE, kinds: opaque };
    await t.rejects(allocate(wire, above), { code: 'BUDGET_EXCEEDED' });
  });
});

t.test('of two concurrent requests that together exceed the budget, one is served', async (t) => {
  for (const [budget, kinds] of [
    [[`budget 0 ${10n * MIB} live`], mappable],
    [[`budget 0 ${10n * MIB} live`], opaque],
  ] as const) {
    await onFake(t, budget, async (host) => {
      const sessions = await Promise.all([host.session(), host.session(), host.session()]);
      host.layer.script(...budget, 'delay vkAllocateMemory * 150');
      const request = { sizeBytes: 6n * MIB, kinds };
      const ends = await Promise.allSettled(sessions.map((wire) => allocate(wire, request)));
      const made = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
      t.equal(made.length, 1, `${kinds}: exactly one is served`);
      for (const end of ends) {
        if (end.status === 'rejected') t.equal(end.reason.code, 'BUDGET_EXCEEDED');
      }
      t.equal(
        host.layer.calls('vkAllocateMemory').filter(({ values }) => values.size === String(6n * MIB)).length,
        1,
        'the driver was called for one',
      );
      for (const one of made) await release(one);
    });
  }
});

t.test('draining bytes are not available, whatever the driver reports', async (t) => {
  await onFake(t, [`budget 0 ${10n * MIB} live`], async (host) => {
    const owner = await host.session();
    const reader = await host.session();
    const made = await allocate(owner, { sizeBytes: 6n * MIB, kinds: opaque });
    const held = await claim(reader, made.id, 'OPAQUE_FD');
    for (const fd of made.fds) fd.close();
    t.match((await owner.ask({ free: { allocation: { id: made.id } } })).message.free, { freed: false });
    t.match(await heap(host), {
      driverUsageBytes: 0n,
      liveBytes: 0n,
      drainingBytes: 6n * MIB,
      availableBytes: 4n * MIB,
    });
    await t.rejects(allocate(owner, { sizeBytes: 5n * MIB, kinds: opaque }), {
      code: 'BUDGET_EXCEEDED',
      metadata: { available_bytes: String(4n * MIB) },
    });
    const small = await allocate(owner, { sizeBytes: 4n * MIB, kinds: opaque });
    t.match(await heap(host), { availableBytes: 0n, pressure: 'PRESSURE_CRITICAL' });
    await release(small);
    for (const fd of held.fds) fd.close();
    await reader.ask({ release: { grantId: held.grants[0]?.id ?? 0n } });
    await release(await allocate(owner, { sizeBytes: 10n * MIB, kinds: mappable }));
  });
});
