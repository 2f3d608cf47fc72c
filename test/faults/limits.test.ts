/**
 * The device's limits on allocations: the maximum number is never exceeded; sizes above the maximum are
 * tried.
 */
import t from 'tap';
import { allocate, type Granted, onFake, PAGE, refusalOf, release, SIZE, wireKinds } from './support.js';

const MAX = 5;
const limited = `limit maxMemoryAllocationCount ${MAX}`;
const tooMany = { code: 'TOO_MANY_ALLOCATIONS', metadata: { limit: String(MAX) } };

t.test("an allocation above the device's maximum number is refused without a driver call", async (t) => {
  await onFake(t, [limited], async (host) => {
    t.match((await host.control.call('ListDevices', {})).devices, [{ maxAllocationCount: MAX }]);
    const wire = await host.session();
    for (const kind of ['MAPPABLE', 'OPAQUE_FD'] as const) {
      const request = { sizeBytes: PAGE, kinds: wireKinds(kind) };
      const made: Granted[] = [];
      for (let i = 0; i < MAX; i += 1) made.push(await allocate(wire, request));
      const asked = host.layer.calls('vkAllocateMemory').length;
      t.match(await refusalOf(allocate(wire, request)), tooMany, kind);
      await t.rejects(host.control.call('Allocate', { ...request, name: 'x' }), tooMany, 'by gRPC too');
      t.equal(host.layer.calls('vkAllocateMemory').length, asked, 'exceeding it is undefined behaviour');
      await host.fill(made[0]?.id ?? '', 1);
      const [first, ...rest] = made;
      if (first) await release(first);
      await release(await allocate(wire, request));
      for (const one of rest) await release(one);
    }
  });
});

t.test('allocations in progress are counted', async (t) => {
  await onFake(t, [limited], async (host) => {
    const sessions = await Promise.all(Array.from({ length: MAX + 2 }, () => host.session()));
    host.layer.script(limited, 'delay vkAllocateMemory * 100');
    const request = { sizeBytes: PAGE, kinds: wireKinds('MAPPABLE') };
    const ends = await Promise.allSettled(sessions.map((wire) => allocate(wire, request)));
    const made = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
    t.equal(made.length, MAX);
    for (const end of ends) if (end.status === 'rejected') t.match(end.reason, tooMany);
    const calls = host.layer.calls('vkAllocateMemory');
    t.ok(
      calls.every(({ result }) => result === 'VK_SUCCESS'),
      'no call exceeded the maximum',
    );
    for (const one of made) await release(one);
  });
});

t.test('draining memory is not counted: the driver has freed it', async (t) => {
  await onFake(t, [limited], async (host) => {
    const wire = await host.session();
    const other = await host.session();
    const kinds = wireKinds('OPAQUE_FD');
    const drained = await allocate(other, { sizeBytes: PAGE, kinds, name: 'draining' });
    await host.free({ name: 'draining' });
    const made: Granted[] = [];
    for (let i = 0; i < MAX; i += 1) made.push(await allocate(wire, { sizeBytes: PAGE, kinds }));
    t.match(await refusalOf(allocate(wire, { sizeBytes: PAGE, kinds })), tooMany);
    for (const fd of drained.fds) fd.close();
    await other.ask({ release: { grantId: drained.grants[0]?.id ?? 0n } });
    for (const one of made) await release(one);
  });
});

t.test('sizes above maxMemoryAllocationSize are tried', async (t) => {
  const small = `limit maxMemoryAllocationSize ${SIZE}`;
  await onFake(t, [small], async (host) => {
    t.match((await host.control.call('ListDevices', {})).devices, [{ maxAllocationSizeBytes: SIZE }]);
    const wire = await host.session();
    for (const kind of ['MAPPABLE', 'OPAQUE_FD'] as const) {
      const request = { sizeBytes: SIZE * 16n, kinds: wireKinds(kind), name: 'large' };
      const made = await allocate(wire, request);
      t.equal(made.allocation.sizeBytes, SIZE * 16n, `${kind}: the driver succeeded`);
      await release(made);
      host.layer.script(small, 'fail vkAllocateMemory 1 VK_ERROR_OUT_OF_DEVICE_MEMORY');
      const refusal = await refusalOf(allocate(wire, request));
      t.match(refusal, {
        code: 'DEVICE_OUT_OF_MEMORY',
        reason: /vkAllocateMemory: VK_ERROR_OUT_OF_DEVICE_MEMORY/,
        metadata: { call: 'vkAllocateMemory', vkResult: 'VK_ERROR_OUT_OF_DEVICE_MEMORY' },
      });
      await release(await allocate(wire, request));
    }
  });
});
