/**
 * RDMA_ADDRESS on a fake driver that supports it completely, and on drivers that lack one of its four parts.
 */
import { connect } from '@vkmemd/client';
import t from 'tap';
import { parsed, vkmemctl } from '../cli/support.js';
import type { FakeCall } from '../support/fake-layer.js';
import { allocate, claim, onFake, PAGE, refusalOf, release, reportOn, SIZE, wireKinds } from './support.js';

const RDMA = 4096; // VK_EXTERNAL_MEMORY_HANDLE_TYPE_RDMA_ADDRESS_BIT_NV
const RDMA_CAPABLE = 0x100;
const kinds = wireKinds('RDMA_ADDRESS');

/** The position of the last call of each name in the log. */
function order(calls: readonly FakeCall[], names: readonly string[]): number[] {
  return names.map((name) => calls.findLastIndex((call) => call.name === name));
}

t.test('a grant is a 64-bit address without an fd', async (t) => {
  await onFake(t, ['rdma present', 'budget present'], async (host) => {
    t.match(await reportOn(host, 'RDMA_ADDRESS'), {
      rung: 'RUNG_SUPPORTED',
      via: 'VK_NV_external_memory_rdma',
      missing: '',
    });
    const wire = await host.session();
    // The driver's figures of before do not decide any more.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const probed = host.layer.calls().length;
    const made = await allocate(wire, { sizeBytes: SIZE, kinds });
    const [grant] = made.grants;
    const address = grant?.remoteAddress ?? 0n;
    t.type(address, 'bigint');
    t.ok(address > 2n ** 63n, 'all 64 bits arrive');
    t.match(grant, {
      kind: 'KIND_RDMA_ADDRESS',
      fdCount: 0,
      mapSizeBytes: 0n,
      fileSizeBytes: 0n,
      allocationSizeBytes: SIZE,
      vulkanHandleType: RDMA,
      handleTypes: RDMA,
      dedicated: false,
      cacheType: 'CACHE_TYPE_NONE',
      dmaBufSync: false,
    });
    t.equal((grant?.memoryPropertyFlags ?? 0) & RDMA_CAPABLE, RDMA_CAPABLE);
    t.equal(made.fds.length, 0);

    const calls = host.layer.calls().slice(probed);
    const given = calls.find(({ name }) => name === 'vkGetMemoryRemoteAddressNV');
    t.equal(BigInt(given?.values.address ?? 0), address, "it is the driver's address");
    const buffers = calls.filter(({ name }) => name === 'vkCreateBuffer');
    t.strictSame(
      [...new Set(buffers.map(({ values }) => values.handleTypes))],
      [String(RDMA)],
      'every buffer declares the handle type',
    );
    const steps = order(calls, [
      'vkGetPhysicalDeviceMemoryProperties2',
      'vkAllocateMemory',
      'vkCreateBuffer',
      'vkBindBufferMemory',
      'vkQueueSubmit',
      'vkGetMemoryRemoteAddressNV',
    ]);
    t.ok(!steps.includes(-1), 'each step occurs');
    t.strictSame(
      steps,
      [...steps].sort((a, b) => a - b),
      'in the order budget, memory, buffer, bind, zero, address',
    );
    t.match(calls[steps[1] ?? 0]?.values, { exports: String(RDMA) });
    t.equal(given?.values.memory, calls[steps[1] ?? 0]?.values.memory);
    await release(made);
  });
});

t.test('the memory is zero, can be filled by the device, and keeps its address', async (t) => {
  await onFake(t, ['rdma present'], async (host) => {
    const wire = await host.session();
    const dirty = await allocate(wire, { sizeBytes: SIZE, kinds });
    await host.fill(dirty.id, 0xffffffff);
    await release(dirty);
    const made = await allocate(wire, { sizeBytes: SIZE, kinds, name: 'peer' });
    t.ok((await host.bytesOf(wire, made.id, SIZE)).equals(Buffer.alloc(Number(SIZE))), 'zeroed');
    await host.fill(made.id, 0x01010101);
    t.ok((await host.bytesOf(wire, made.id, SIZE)).equals(Buffer.alloc(Number(SIZE), 1)));

    const other = await host.session();
    const second = await claim(other, made.id, 'RDMA_ADDRESS');
    t.equal(second.grants[0]?.remoteAddress, made.grants[0]?.remoteAddress, 'the same for another session');
    for (const [session, { grants }] of [
      [wire, made],
      [other, second],
    ] as const) {
      await session.ask({ release: { grantId: grants[0]?.id ?? 0n } });
    }
    const client = await connect({ runtimeDir: host.runtimeDir });
    const memory = await client.claim({ name: 'peer' }, { kinds: ['RDMA_ADDRESS'] });
    t.equal(memory.remoteAddress, made.grants[0]?.remoteAddress, 'the same in the client library');
    t.throws(() => memory.fd('RDMA_ADDRESS'), { code: 'KIND_NOT_REQUESTED' });
    t.throws(() => memory.map(), { code: 'NOT_MAPPABLE' });
    t.match(await memory.free(), { freed: true }, 'an address does not hold memory');
    await client.close();
  });
});

t.test('a request may describe the buffer', async (t) => {
  await onFake(t, ['rdma present'], async (host) => {
    const wire = await host.session();
    const STORAGE = 0x20;
    const made = await allocate(wire, { sizeBytes: 5000n, kinds, buffer: { usage: STORAGE } });
    t.match(made.grants[0], { buffer: { usage: STORAGE | 3 }, handleTypes: RDMA, fdCount: 0 });
    t.ok((made.grants[0]?.remoteAddress ?? 0n) > 2n ** 63n);
    t.ok((made.allocation.requirements?.sizeBytes ?? 0n) >= 5000n);
    await release(made);
  });
});

t.test('never combined with MAPPABLE, and no RDMA memory type unless requested', async (t) => {
  await onFake(t, ['rdma present'], async (host) => {
    const wire = await host.session();
    const both = wireKinds('MAPPABLE', 'RDMA_ADDRESS');
    await t.rejects(allocate(wire, { sizeBytes: PAGE, kinds: both }), { code: 'KINDS_EXCLUSIVE' });
    await t.rejects(host.control.call('Allocate', { sizeBytes: PAGE, kinds: both, name: 'both' }), {
      code: 'KINDS_EXCLUSIVE',
    });
    const opaque = await allocate(wire, { sizeBytes: PAGE, kinds: wireKinds('OPAQUE_FD') });
    t.equal(opaque.allocation.memoryPropertyFlags & RDMA_CAPABLE, 0);
    await release(opaque);
  });
});

t.test('the missing part is named in the report, by vkmemctl and in the error', async (t) => {
  const cases = {
    'no-extension': ['extension', /does not list VK_NV_external_memory_rdma/],
    'feature-off': ['feature', /not its feature externalMemoryRDMA/],
    'no-type': ['type', /no memory type has RDMA_CAPABLE/],
    'not-exportable': ['export', /RDMA_ADDRESS cannot be exported/],
  } as const;
  for (const [word, [missing, reason]] of Object.entries(cases)) {
    await onFake(t, [`rdma ${word}`], async (host) => {
      const found = await reportOn(host, 'RDMA_ADDRESS');
      t.match(found, { rung: 'RUNG_UNSUPPORTED', via: '', missing, reason }, word);
      const { devices } = parsed(await vkmemctl(host.runtimeDir, 'doctor', '--json'));
      t.match(devices[0].kinds.RDMA_ADDRESS, { rung: 'UNSUPPORTED', missing, reason });
      const wire = await host.session();
      for (const buffer of [undefined, { usage: 0x20 }]) {
        const refusal = await refusalOf(
          allocate(wire, { sizeBytes: PAGE, kinds, ...(buffer && { buffer }) }),
        );
        t.match(refusal, { code: 'KIND_UNSUPPORTED', metadata: { kind: 'RDMA_ADDRESS', missing }, reason });
      }
      t.equal(
        host.layer.calls('vkGetMemoryRemoteAddressNV').length,
        0,
        'no address is requested from the driver',
      );
    });
  }
});

t.test('a failed address call fails the request', async (t) => {
  await onFake(t, ['rdma present'], async (host) => {
    const wire = await host.session();
    for (const [result, code] of [
      ['VK_ERROR_INVALID_EXTERNAL_HANDLE', 'KIND_UNSUPPORTED'],
      ['VK_ERROR_UNKNOWN', 'INTERNAL'],
    ] as const) {
      host.layer.script('rdma present', `fail vkGetMemoryRemoteAddressNV 1 ${result}`);
      await t.rejects(allocate(wire, { sizeBytes: PAGE, kinds, name: 'x' }), { code }, result);
      await release(await allocate(wire, { sizeBytes: PAGE, kinds, name: 'x' }));
    }
  });
});
