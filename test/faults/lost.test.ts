/**
 * A lost device: requests that use it fail with DEVICE_LOST, the daemon opens it again and serves, and the
 * contents of memfds survive. ended.test.ts covers the memory that ends; recovery.test.ts covers failures
 * during recovery.
 */
import t from 'tap';
import {
  allocate,
  claim,
  loseDevice,
  mapped,
  onFake,
  PAGE,
  refusalOf,
  release,
  SIZE,
  stillServes,
  wireKinds,
} from './support.js';

// Most of the time is spent waiting.
t.jobs = 3;

const mappable = wireKinds('MAPPABLE');
const opaque = wireKinds('OPAQUE_FD');
const lost = { code: 'DEVICE_LOST' };
const WORDS = Number(SIZE) / 4;

t.test(
  'every driver call may report the loss: requests fail with DEVICE_LOST until the device is open again',
  { buffered: true },
  async (t) => {
    await onFake(t, [], async (host) => {
      const wire = await host.session();
      const own = await allocate(wire, { sizeBytes: SIZE, kinds: mappable, name: 'own' });
      const allocating = (kinds: typeof mappable | typeof opaque) => () =>
        allocate(wire, { sizeBytes: PAGE, kinds, name: 'new' });
      for (const [call, request] of [
        ['vkQueueSubmit', () => host.fill(own.id, 1)],
        ['vkWaitForFences', () => host.fill(own.id, 1)],
        ['vkWaitForFences', allocating(opaque)],
        ['vkAllocateMemory', allocating(mappable)],
        ['vkAllocateMemory', allocating(opaque)],
        ['vkGetMemoryFdKHR', allocating(opaque)],
      ] as const) {
        host.layer.script(`fail ${call} 1 VK_ERROR_DEVICE_LOST`, 'delay vkCreateDevice 1 300');
        t.match(await refusalOf(request()), { ...lost, reason: `${call}: VK_ERROR_DEVICE_LOST.` }, call);
        const { control } = host;
        for (const [what, meanwhile] of Object.entries({
          allocate: () => allocate(wire, { sizeBytes: PAGE, kinds: mappable }),
          'by gRPC': () => control.call('Allocate', { sizeBytes: PAGE, kinds: opaque, name: 'grpc' }),
          fill: () => host.fill(own.id, 2),
        })) {
          t.match(await refusalOf(meanwhile()), lost, `${what} during recovery`);
        }
        t.match(
          (await control.budget()).counts,
          { allocations: 1, grants: 1, sessions: 1 },
          'queries are answered',
        );
        t.match((await control.call('ListDevices', {})).devices[0]?.kinds[0], { rung: 'RUNG_VERIFIED' });
        t.match((await control.call('GetAllocation', { allocation: { name: 'own' } })).allocation, {
          id: own.id,
          state: 'ALLOCATION_STATE_LIVE',
        });
        await stillServes(host);
        await host.fill(own.id, 3);
        for (const kinds of [mappable, opaque]) await release(await allocating(kinds)());
      }
      t.equal(host.layer.calls('vkDestroyDevice').length, 6, 'each lost device was destroyed');
      await release(own);
    });
  },
);

t.test('MAPPABLE memory survives: bytes, id, name, grants, mappings', { buffered: true }, async (t) => {
  await onFake(t, ['budget present'], async (host) => {
    const wire = await host.session();
    const made = [
      await allocate(wire, { sizeBytes: SIZE, kinds: mappable, name: 'named' }),
      await allocate(wire, { sizeBytes: SIZE, kinds: mappable }),
    ];
    const mappings = made.map(mapped);
    const views = mappings.map(({ buffer }) => new Uint32Array(buffer));
    for (const [index, view] of views.entries()) view.fill(index + 0x11);
    await loseDevice(host, 'budget present');
    await stillServes(host);
    t.match((await host.control.budget()).heaps[0], { liveBytes: SIZE * 2n, drainingBytes: 0n });
    for (const [index, { id, allocation }] of made.entries()) {
      const found = await host.control.call('GetAllocation', { allocation: { id } });
      t.strictSame(found.allocation, { ...allocation, grants: 1 }, 'its description is unchanged');
      const view = views[index] as Uint32Array;
      t.ok(
        view.every((word) => word === index + 0x11),
        'with its bytes',
      );
      t.equal(
        (await host.bytesOf(wire, id, SIZE)).readUInt32LE(0),
        index + 0x11,
        'the device reads the bytes',
      );
      view.fill(0x77);
      t.equal(
        (await host.bytesOf(wire, id, SIZE)).readUInt32LE(4 * WORDS - 4),
        0x77,
        'and bytes written afterwards',
      );
      await host.fill(id, 0x99);
      t.ok(
        view.every((word) => word === 0x99),
        "the old mapping shows the device's writes",
      );
      const second = await claim(wire, id, 'MAPPABLE');
      const other = mapped(second);
      view[1] = 5;
      t.equal(new Uint32Array(other.buffer)[1], 5, 'a new grant shows the same memory');
      other.unmap();
      for (const fd of second.fds) fd.close();
    }
    t.match((await host.control.call('GetAllocation', { allocation: { name: 'named' } })).allocation, {
      id: made[0]?.id,
    });
    await t.rejects(allocate(wire, { sizeBytes: PAGE, kinds: mappable, name: 'named' }), {
      code: 'NAME_TAKEN',
    });
    for (const mapping of mappings) mapping.unmap();
    for (const one of made) await release(one);
  });
});

t.test('requests in progress at the loss are answered, and leave nothing', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    const other = await host.session();
    const retained = await allocate(other, { sizeBytes: SIZE, kinds: mappable });
    for (const [call, kinds] of [
      ['vkAllocateMemory', mappable],
      ['vkAllocateMemory', opaque],
      ['vkGetMemoryFdKHR', opaque],
      ['vkBindBufferMemory', opaque],
    ] as const) {
      const wire = await host.session();
      host.layer.script(`delay ${call} 1 800`);
      const late = refusalOf(allocate(wire, { sizeBytes: SIZE, kinds, name: 'late' }));
      await new Promise((resolve) => setTimeout(resolve, 300));
      host.layer.script('fail vkQueueSubmit 1 VK_ERROR_DEVICE_LOST');
      t.match(await refusalOf(host.fill(retained.id, 1)), lost);
      t.match(await late, lost, `${call} of ${kinds}`);
      await stillServes(host);
      await release(await allocate(wire, { sizeBytes: SIZE, kinds, name: 'late' }));
    }
    await release(retained);
  });
});
