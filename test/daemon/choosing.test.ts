/**
 * The choice of memory from what a request states, and the rules of the draft for MAPPABLE, on a driver whose
 * calls are logged (test/layer, which fakes nothing here).
 */
import { connect, VkmemError } from '@vkmemd/client';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { HandoffWire } from '../support/handoff-wire.js';

const SIZE = 65_536n;
/** R8G8B8A8_UNORM, for transfers and sampling. */
const IMAGE = { format: 37, width: 320, height: 200, usage: 0x7 };

t.test('MAPPABLE follows the rules of the draft VK_EXT_map_memory_fd', async (t) => {
  const layer = new FakeLayer(t);
  const { runtimeDir } = await startDaemon(t, { env: layer.environment });
  layer.script();
  const before = layer.calls().length;
  await using client = await connect({ runtimeDir });
  const memory = await client.allocate({ size: SIZE, name: 'draft' });
  const calls = layer.calls().slice(before);
  const allocated = calls.filter(({ name }) => name === 'vkAllocateMemory');
  t.match(allocated, [{ values: { exports: /^0(x0)?$/ }, result: 'VK_SUCCESS' }]);
  t.equal(memory.grants[0]?.vulkanHandleType, 0, 'no external handle type has to be declared');
  t.equal(memory.grants[0]?.handleTypes, 0);

  const second = await Promise.all([1, 2, 3].map(() => client.claim({ name: 'draft' })));
  const views = [memory, memory, ...second].map((each) => each.map().bytes);
  views[0]?.fill(7);
  for (const view of views)
    t.equal(view[view.length - 1], 7, 'the same bytes can be granted and mapped any number of times');
  const later = layer.calls().slice(before);
  for (const name of ['vkMapMemory', 'vkGetMemoryFdKHR']) {
    t.same(
      later.filter((call) => call.name === name),
      [],
      `${name} was not called: the daemon maps nothing and exports nothing of the driver's`,
    );
  }
  await Promise.all(second.map((each) => each.release()));
  await memory.free();
});

t.test('requests select memory by its properties', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  const { devices } = await client.devices();
  const types = devices[0]?.memoryTypes ?? [];
  for (const { index, propertyFlags } of types) {
    await using memory = await client.allocate({ size: SIZE, memoryTypeIndex: index });
    t.match(memory.allocation, { memoryTypeIndex: index, memoryPropertyFlags: propertyFlags });
  }
  await using local = await client.allocate({ size: SIZE, properties: { required: ['DEVICE_LOCAL'] } });
  t.equal(local.allocation.memoryPropertyFlags & 1, 1, 'device-local types are not excluded');
  await using preferred = await client.allocate({
    size: SIZE,
    properties: { preferred: ['PROTECTED', 'HOST_CACHED'] },
  });
  t.equal(preferred.allocation.memoryPropertyFlags & 8, 8);
  await t.rejects(client.allocate({ size: SIZE, properties: { forbidden: ['HOST_VISIBLE'] } }), {
    code: 'NOT_MAPPABLE',
    message: /0: it has flags 0x2/,
  });
  const opaque = { size: SIZE, kinds: ['OPAQUE_FD'] as const };
  await t.rejects(client.allocate({ ...opaque, properties: { required: ['PROTECTED'] } }), {
    code: 'NO_MEMORY_TYPE',
  });
  await t.rejects(client.allocate({ ...opaque, memoryTypeIndex: types.length }), {
    code: 'INVALID_ARGUMENT',
    metadata: { field: 'memory_type_index' },
  });
});

t.test("a request with a buffer allocates memory that meets the buffer's requirements", async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using memory = await client.allocate({ size: 1000n, kinds: ['OPAQUE_FD'], buffer: { usage: 0x20 } });
  t.match(memory.allocation, {
    sizeBytes: 4096n,
    buffer: { usage: 0x23 },
    handleTypes: 1,
    dedicated: false,
    requirements: { sizeBytes: 4096n, requiresDedicated: false },
  });
  const [grant] = memory.grants;
  t.match(grant, { buffer: { usage: 0x23 }, handleTypes: 1, vulkanHandleType: 1, image: null });
  t.equal((grant?.requirements?.memoryTypeBits ?? 0) & 1, 1);
});

t.test('a grant for an image states the parameters that the importer repeats', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using memory = await client.allocate({ kinds: ['OPAQUE_FD'], image: IMAGE });
  const bytes = BigInt(IMAGE.width * IMAGE.height * 4);
  t.ok(memory.size >= bytes, 'at least the size that the image needs');
  t.equal(memory.size % 4096n, 0n);
  t.match(memory.grants[0], {
    handleTypes: 1,
    requirements: { sizeBytes: memory.allocation.requirements?.sizeBytes },
    image: {
      description: {
        ...IMAGE,
        type: 'IMAGE_TYPE_2D',
        tiling: 'IMAGE_TILING_OPTIMAL',
        depth: 1,
        mipLevels: 1,
      },
      sameDeviceAndDriver: true,
      layoutForOtherApis: 1,
    },
  });
  t.same(memory.grants[0]?.image?.planes, [], "the layout of an optimal image is the driver's own");
  await using linear = await client.allocate({ image: { ...IMAGE, tiling: 'LINEAR' } });
  const [plane, ...others] = linear.grants[0]?.image?.planes ?? [];
  t.same(others, [], 'one plane');
  t.ok(plane && plane.offset + plane.rowPitch * BigInt(IMAGE.height) <= linear.size, 'in the memory');
  t.ok(plane && plane.rowPitch >= BigInt(IMAGE.width * 4), 'rows with all of their texels');
  t.match(plane, { arrayPitch: 0n, depthPitch: 0n }, 'no pitches that the image does not have');
  const pair = { ...IMAGE, tiling: 'LINEAR', arrayLayers: 2 } as const;
  const layered = await client.allocate({ image: pair }).catch(() => undefined);
  if (layered) {
    const pitch = layered.grants[0]?.image?.planes[0]?.arrayPitch ?? 0n;
    t.ok(pitch >= bytes, `${pitch} bytes from layer to layer`);
    await layered.free();
  }
  linear.map().bytes.fill(1);
  await client.transfer({ fill: { to: linear, pattern: 2 } });
  t.equal(linear.map().bytes[0], 2, 'a linear image can be mapped');

  await t.rejects(client.allocate({ size: 4096n, kinds: ['OPAQUE_FD'], image: IMAGE }), {
    code: 'INVALID_SIZE',
    metadata: { required_bytes: String(memory.allocation.requirements?.sizeBytes) },
  });
});

t.test('values that Vulkan does not define are rejected before a driver call', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  const wrong: [string, object][] = [
    ['buffer.usage', { size: SIZE, buffer: { usage: 1 << 20 } }],
    ['image.format', { image: { ...IMAGE, format: 99_999 } }],
    ['image.usage', { image: { ...IMAGE, usage: 0x40 } }],
    ['image.flags', { image: { ...IMAGE, flags: 1 } }],
    ['image.flags', { image: { ...IMAGE, flags: 0x10 } }],
    ['image.samples', { image: { ...IMAGE, samples: 3 } }],
    ['image.samples', { image: { ...IMAGE, samples: 4, mipLevels: 2 } }],
    ['image.mip_levels', { image: { ...IMAGE, mipLevels: 12 } }],
    ['image.height', { image: { ...IMAGE, type: '1D' } }],
    ['image.depth', { image: { ...IMAGE, depth: 2 } }],
    ['image.array_layers', { image: { ...IMAGE, type: '3D', arrayLayers: 2 } }],
    ['image.width', { image: { ...IMAGE, width: 1 << 24 } }],
    ['image.flags', { image: { ...IMAGE, tiling: 'DRM_FORMAT_MODIFIER', flags: 0x8 } }],
  ];
  for (const [field, request] of wrong) {
    const refusal = await client.allocate(request as never).then(
      () => undefined,
      (error) => error,
    );
    t.ok(refusal instanceof VkmemError, `${field} is refused`);
    t.match(refusal, { code: 'INVALID_ARGUMENT', metadata: { field } }, JSON.stringify(request, big));
  }
  await t.rejects(client.allocate({ kinds: ['OPAQUE_FD'], image: { ...IMAGE, width: 1 << 20 } }), {
    code: 'KIND_UNSUPPORTED',
  });
});

t.test('DRM format modifiers are checked, and refused by name without the extension', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  const wire = await HandoffWire.open(runtimeDir);
  t.teardown(() => wire.close());
  const image = { ...IMAGE, depth: 1, mipLevels: 1, arrayLayers: 1, samples: 1, flags: 0 };
  const ask = (tiling: 'LINEAR' | 'DRM_FORMAT_MODIFIER', drmFormatModifiers: bigint[]) =>
    wire.ask({
      allocate: {
        kinds: ['KIND_OPAQUE_FD'],
        image: { ...image, type: 'IMAGE_TYPE_2D', tiling: `IMAGE_TILING_${tiling}`, drmFormatModifiers },
      },
    });
  const wrong = { code: 'INVALID_ARGUMENT', metadata: { field: 'image.drm_format_modifiers' } };
  const many = Array.from({ length: 65 }, (_, n) => BigInt(n));
  await t.rejects(ask('LINEAR', [0n]), wrong, 'with another tiling');
  await t.rejects(ask('DRM_FORMAT_MODIFIER', many), wrong, 'more than 64');
  await t.rejects(ask('DRM_FORMAT_MODIFIER', [5n, 0n, 5n]), wrong, 'an element twice');
  const unlisted = { code: 'KIND_UNSUPPORTED', metadata: { kind: 'image', missing: 'extension' } };
  for (const modifiers of [[], [0n], [2n ** 64n - 1n], many.slice(1)]) {
    await t.rejects(ask('DRM_FORMAT_MODIFIER', modifiers), { ...unlisted, message: EXTENSION });
  }
  await t.rejects(
    client.allocate({
      kinds: ['OPAQUE_FD'],
      image: { ...IMAGE, tiling: 'DRM_FORMAT_MODIFIER', drmFormatModifiers: [0, 1n] },
    }),
    { ...unlisted, message: EXTENSION },
    'by the library',
  );
});

const EXTENSION = /the driver does not list VK_EXT_image_drm_format_modifier/;
const big = (_key: string, value: unknown) => (typeof value === 'bigint' ? Number(value) : value);

t.test('a sync moves no bytes and needs no more than the right to the memory', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  for (const kinds of [['MAPPABLE'], ['OPAQUE_FD']] as const) {
    await using memory = await client.allocate({ size: SIZE, kinds });
    await client.transfer({ fill: { to: memory, pattern: 3 } });
    t.match(await client.transfer({ sync: memory }), { sizeBytes: 0n });
  }
  await using image = await client.allocate({ kinds: ['OPAQUE_FD'], image: { ...IMAGE, mipLevels: 3 } });
  t.match(await client.transfer({ sync: image }), { sizeBytes: 0n });
  await t.rejects(client.transfer({ sync: { name: 'missing' } }), { code: 'NOT_FOUND' });
});
