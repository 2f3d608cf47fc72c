/**
 * Every Vulkan call of a request fails with every result that the specification lists for it: the request is
 * refused with the catalogue's code, nothing is left of it, and the same request is served directly
 * afterwards.
 */
import { createMemfd, type Draft, errorOf, type OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import type { HandoffWire } from '../support/handoff-wire.js';
import { failEach } from './fail-each.js';
import { allocate, claim, type FakeHost, onFake, release, SIZE, wireKinds } from './support.js';

const WORK = [
  'vkCreateCommandPool',
  'vkAllocateCommandBuffers',
  'vkBeginCommandBuffer',
  'vkEndCommandBuffer',
  'vkCreateFence',
  'vkResetFences',
  'vkQueueSubmit',
  'vkWaitForFences',
];
const BUFFER_WORK = ['vkCreateBuffer', 'vkBindBufferMemory', ...WORK];

/** Allocates with a name, which must be free again afterwards, and frees the allocation. */
const allocating = (wire: HandoffWire, request: Parameters<typeof allocate>[1]) => async (): Promise<void> =>
  release(await allocate(wire, { name: 'failing', ...request }));

t.test('driver errors during allocations', async (t) => {
  await onFake(t, [], async (host) => {
    const wire = await host.session();
    const request = { sizeBytes: SIZE };
    const mappable = { ...request, kinds: wireKinds('MAPPABLE') };
    await failEach(t, host, [], ['vkAllocateMemory'], allocating(wire, mappable));
    const opaque = { ...request, kinds: wireKinds('OPAQUE_FD') };
    const calls = ['vkAllocateMemory', 'vkGetMemoryFdKHR', ...BUFFER_WORK];
    await failEach(t, host, [], calls, allocating(wire, opaque));
  });
});

t.test('driver errors during allocations by dma-buf', async (t) => {
  const base = ['host_import absent', 'dma_buf present'];
  await onFake(t, base, async (host) => {
    const wire = await host.session();
    const calls = ['vkAllocateMemory', 'vkGetMemoryFdKHR', ...BUFFER_WORK];
    for (const kind of ['MAPPABLE', 'DMA_BUF'] as const) {
      const request = { sizeBytes: SIZE, kinds: wireKinds(kind) };
      await failEach(t, host, base, calls, allocating(wire, request));
    }
  });
});

t.test('driver errors during dedicated allocations for a buffer and for an image', async (t) => {
  const base = ['prefers_dedicated yes'];
  await onFake(t, base, async (host) => {
    const wire = await host.session();
    const kinds = wireKinds('OPAQUE_FD');
    const made = ['vkAllocateMemory', 'vkGetMemoryFdKHR'];
    const buffered = { sizeBytes: SIZE, kinds, buffer: { usage: 0x20 } };
    await failEach(t, host, base, [...made, ...BUFFER_WORK], allocating(wire, buffered));
    const image = {
      type: 'IMAGE_TYPE_2D',
      format: 37, // VK_FORMAT_R8G8B8A8_UNORM
      width: 64,
      height: 64,
      depth: 1,
      mipLevels: 1,
      arrayLayers: 1,
      samples: 1,
      tiling: 'IMAGE_TILING_OPTIMAL',
      usage: 4,
    } as const;
    const calls = [...made, 'vkCreateImage', 'vkBindImageMemory', ...WORK];
    await failEach(t, host, base, calls, allocating(wire, { sizeBytes: 0n, kinds, image }));
  });
});

t.test('driver errors during transfers and claims', async (t) => {
  await onFake(t, [], async (host) => {
    const wire = await host.session();
    const from = await allocate(wire, { sizeBytes: SIZE, kinds: wireKinds('OPAQUE_FD') });
    const to = await allocate(wire, { sizeBytes: SIZE, kinds: wireKinds('MAPPABLE') });
    const copy = { source: { id: from.id }, destination: { id: to.id } };
    await failEach(t, host, [], BUFFER_WORK, async () => void (await host.fill(from.id, 1)));
    await failEach(t, host, [], BUFFER_WORK, async () => {
      await host.control.call('Transfer', { copy });
    });
    await failEach(t, host, [], ['vkGetMemoryFdKHR'], async () => {
      const { fds, grants } = await claim(wire, from.id, 'OPAQUE_FD');
      for (const fd of fds) fd.close();
      await wire.ask({ release: { grantId: grants[0]?.id ?? 0n } });
    });
    await release(from);
    await release(to);
  });
});

t.test('driver errors during imports', async (t) => {
  const uid = String(process.getuid?.());
  const importing = async (host: FakeHost) => {
    const wire = await host.session();
    const ask = async (request: Draft<'ImportRequest'>, fd: OwnedFd) => {
      wire.send({ import: { name: 'failing', ...request } }, [fd.dup()]);
      const { message, fds } = await wire.next();
      if (message.error) throw errorOf(message.error);
      await release({ wire, id: message.import?.allocation?.id ?? '', fds });
    };
    using memfd = await createMemfd('vkmemd-test', SIZE);
    const one = { source: 'KIND_MAPPABLE' } as const;
    await failEach(t, host, [], ['vkAllocateMemory'], () => ask(one, memfd));
    const exported = await allocate(wire, { sizeBytes: SIZE, kinds: wireKinds('OPAQUE_FD') });
    const [grant] = exported.grants;
    const [fd] = exported.fds;
    if (!grant || !fd) throw new Error('nothing was granted');
    const { deviceUuid, driverUuid, memoryTypeIndex } = grant;
    const same = { sizeBytes: SIZE, memoryTypeIndex, deviceUuid, driverUuid };
    const kinds = wireKinds('OPAQUE_FD');
    const other = { source: 'KIND_OPAQUE_FD', ...same, kinds, grantKinds: kinds } as const;
    await failEach(t, host, [], ['vkAllocateMemory'], () => ask(other, fd));
    await release(exported);
  };
  await onFake(t, [], importing, ['--allow-import', uid]);
});
