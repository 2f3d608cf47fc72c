/** Buffers and images in the raw addon: its driver queries, and the arguments that it rejects. */
import t from 'tap';
import { loadNative, type NativeBuffer, type NativeImage } from 'vkmemd/dist/vulkan/native.js';
import { refusal } from './refusal.js';
import { needsLavapipe, openFds } from './support.js';

const OPAQUE_FD = 0x1;
const HOST_ALLOCATION = 0x80;
const DMA_BUF = 0x200;
const RDMA_ADDRESS = 0x1000;
const NOTHING = { features: 0, exportFromImported: 0, compatible: 0 };

const buffer: NativeBuffer = { what: 'buffer', size: 65_536n, usage: 0x3 };

/** 64 x 64 texels of R8G8B8A8_UNORM in two dimensions, which every device supports. */
const image: NativeImage = {
  what: 'image',
  flags: 0,
  type: 1,
  format: 37,
  width: 64,
  height: 64,
  depth: 1,
  mipLevels: 1,
  arrayLayers: 1,
  samples: 1,
  tiling: 0,
  usage: 0x3,
};

if (needsLavapipe) t.plan(0, needsLavapipe);
else {
  const { enumerate, openDevice } = loadNative();
  const device = await openDevice(0, 0n);
  t.teardown(() => device.destroy());
  const before = openFds();

  t.test("the requirements are the driver's, for each set of handle types", async (t) => {
    for (const handleTypes of [0, OPAQUE_FD, HOST_ALLOCATION, OPAQUE_FD | HOST_ALLOCATION]) {
      const ofBuffer = await device.requirements(buffer, handleTypes);
      t.ok(ofBuffer.size >= buffer.size);
      const ofImage = await device.requirements(image, handleTypes);
      t.ok(ofImage.size >= 64n * 64n * 4n);
      for (const needs of [ofBuffer, ofImage]) {
        t.ok(needs.alignment > 0n);
        t.equal(needs.alignment & (needs.alignment - 1n), 0n, 'a power of two');
        t.equal(needs.memoryTypeBits, 1, 'lavapipe has one memory type');
        t.match(needs, { prefersDedicated: false, requiresDedicated: false });
      }
    }
    const layered = await device.requirements({ ...image, mipLevels: 7, arrayLayers: 3 }, OPAQUE_FD);
    t.ok(layered.size > 3n * 64n * 64n * 4n, 'levels and layers are counted');
  });

  t.test('external properties are queried for each resource', async (t) => {
    const [info] = await enumerate();
    t.same(await device.externalProperties(buffer, OPAQUE_FD), info?.externalBuffer.opaqueFd);
    t.same(await device.externalProperties(buffer, HOST_ALLOCATION), info?.externalBuffer.hostAllocation);
    t.match(await device.externalProperties(image, OPAQUE_FD), {
      features: 0x2 | 0x4,
      compatible: OPAQUE_FD,
    });
  });

  t.test('a handle type without its extension is neither queried nor exported', async (t) => {
    const [info] = await enumerate();
    t.match(info, {
      externalMemoryRdma: false,
      externalBuffer: { dmaBuf: NOTHING, rdmaAddress: NOTHING },
    });
    const extensions = {
      [DMA_BUF]: 'VK_EXT_external_memory_dma_buf',
      [RDMA_ADDRESS]: 'VK_NV_external_memory_rdma',
    };
    for (const [bit, detail] of Object.entries(extensions)) {
      const handleType = Number(bit);
      for (const resource of [buffer, image]) {
        t.same(await device.externalProperties(resource, handleType), NOTHING);
        await t.rejects(device.requirements(resource, handleType), refusal('NOT_LISTED', { detail }));
      }
      await t.rejects(device.allocate(4096n, 0, handleType), refusal('NOT_LISTED', { detail }));
    }
    t.same(
      await device.externalProperties(buffer, 0x4),
      NOTHING,
      'a handle type of another operating system',
    );
    await t.rejects(device.requirements(buffer, 0x5), refusal('NOT_LISTED'));
  });

  t.test('the layout of a linear image is reported', async (t) => {
    for (const handleTypes of [0, OPAQUE_FD]) {
      const { modifier, planes } = await device.imageLayout({ ...image, tiling: 1 }, handleTypes);
      t.equal(modifier, undefined);
      t.match(planes, [{ offset: 0n, arrayPitch: 0n, depthPitch: 0n }]);
      t.ok(planes[0] && planes[0].rowPitch >= 64n * 4n && planes[0].size >= planes[0].rowPitch * 64n);
    }
    const slices = await device.imageLayout({ ...image, tiling: 1, type: 2, depth: 4 }, 0);
    t.ok(slices.planes[0] && slices.planes[0].depthPitch >= 64n * 64n * 4n, 'of a 3D image');
    t.same(await device.imageLayout(image, 0), { planes: [] }, 'an optimal image has no known layout');
    await t.rejects(device.imageLayout(buffer as never, 0), refusal('NOT_LISTED'), 'nor has a buffer');
  });

  t.test('DRM format modifiers need the extension', async (t) => {
    t.same(await device.formatModifiers(37), [], 'none is listed');
    t.same(await device.formatModifiers(2 ** 32 - 1), [], 'nor for a number that is no format');
    const tiled = { ...image, tiling: 1_000_158_000, modifiers: [0n] };
    const detail = 'VK_EXT_image_drm_format_modifier';
    await t.rejects(device.requirements(tiled, 0), refusal('NOT_LISTED', { detail }));
    await t.rejects(device.externalProperties(tiled, OPAQUE_FD), refusal('NOT_LISTED', { detail }));
    await t.rejects(device.imageLayout(tiled, 0), refusal('NOT_LISTED', { detail }));
  });

  t.test('an image that the driver does not support', async (t) => {
    // R4G4_UNORM_PACK8, a format with Y'CbCr planes that lavapipe lacks, and numbers that are not formats.
    for (const format of [1, 1_000_156_000, 123_456, 2 ** 31 - 2]) {
      const refused = refusal('VK_ERROR_FORMAT_NOT_SUPPORTED', {
        call: 'vkGetPhysicalDeviceImageFormatProperties2',
      });
      await t.rejects(device.externalProperties({ ...image, format }, OPAQUE_FD), refused);
      await t.rejects(device.requirements({ ...image, format }, 0), refused);
      await t.rejects(device.allocate(65_536n, 0, 0, { ...image, format }), refused);
    }
    const beyond = [
      { width: 1 << 20 },
      { height: 1 << 20 },
      { arrayLayers: 1 << 20 },
      { samples: 8, usage: 0x13 },
      { type: 2, depth: 1 << 20 },
    ];
    for (const change of beyond) {
      const refused = refusal('NOT_LISTED', { detail: /driver/ });
      await t.rejects(device.externalProperties({ ...image, ...change }, OPAQUE_FD), refused);
      await t.rejects(device.requirements({ ...image, ...change }, OPAQUE_FD), refused);
    }
  });

  t.test('parameters that Vulkan forbids are rejected before a driver call', async (t) => {
    const images = [
      { width: 0 },
      { depth: 2 },
      { type: 0 },
      { type: 3 },
      { type: 2, depth: 2, arrayLayers: 2 },
      { mipLevels: 0 },
      { mipLevels: 8 },
      { arrayLayers: 0 },
      { samples: 3 },
      { samples: 128 },
      { samples: 4, mipLevels: 2 },
      { samples: 4, tiling: 1 },
      { format: 0 },
      { usage: 0 },
      { usage: 0x42 },
      { flags: 0x10 },
      { flags: 0x20 },
      { flags: 0x80 },
    ];
    for (const change of images) {
      const broken = { ...image, ...change };
      await t.rejects(
        device.requirements(broken, 0),
        refusal('RANGE', { call: 'vkCreateImage' }),
        JSON.stringify(change),
      );
      await t.rejects(device.externalProperties(broken, OPAQUE_FD), refusal('RANGE'), JSON.stringify(change));
    }
    const one = { offset: 0n, size: 0n, rowPitch: 256n, arrayPitch: 0n, depthPitch: 0n };
    for (const change of [{ modifiers: [0n] }, { tiling: 1, planes: [one] }]) {
      await t.rejects(device.requirements({ ...image, ...change }, 0), refusal('RANGE'));
    }
    // Sparse, protected and disjoint images, tilings with modifiers, and usages of extensions.
    for (const change of [
      { flags: 0x1 },
      { flags: 0x800 },
      { flags: 0x200 },
      { tiling: 1_000_158_000 },
      { usage: 0x103 },
    ])
      await t.rejects(device.requirements({ ...image, ...change }, 0), refusal('NOT_LISTED'));
    for (const change of [{ size: 0n }, { size: 2n ** 63n }, { usage: 0 }])
      await t.rejects(device.requirements({ ...buffer, ...change }, 0), refusal('RANGE'));
    const unlisted = refusal('NOT_LISTED', { detail: 'buffer usage 0x20000' });
    await t.rejects(device.requirements({ ...buffer, usage: 0x20003 }, 0), unlisted);
  });

  t.test('arguments of the wrong type are named', async (t) => {
    const call = (...args: unknown[]): unknown => Reflect.apply(device.requirements, device, args);
    const names = (args: unknown[], text: string): void => {
      t.throws(() => call(...args), { name: 'TypeError', message: `requirements: ${text}` });
    };
    names([], 'resource must be a buffer or an image');
    names([null, 0], 'resource must be a buffer or an image');
    names([{}, 0], "resource.what must be 'buffer' or 'image'");
    names([{ ...buffer, size: 4096 }, 0], 'resource.size must be an unsigned 64-bit bigint');
    names([{ ...buffer, usage: -1 }, 0], 'resource.usage must be an unsigned 32-bit number');
    names([buffer], 'handleTypes must be an unsigned 32-bit number');
    for (const field of Object.keys(image).filter((key) => key !== 'what')) {
      names([{ ...image, [field]: '1' }, 0], `resource.${field} must be an unsigned 32-bit number`);
    }
    names([{ ...image, modifiers: 7 }, 0], 'resource.modifiers must be an array of at most 1024 elements');
    names([{ ...image, modifiers: [7] }, 0], 'resource.modifiers must be an unsigned 64-bit bigint');
    names(
      [{ ...image, planes: Array(5).fill({}) }, 0],
      'resource.planes must be an array of at most 4 elements',
    );
    names([{ ...image, planes: [0n] }, 0], 'resource.planes must be an array of layouts');
    names([{ ...image, planes: [{}] }, 0], 'resource.planes.offset must be an unsigned 64-bit bigint');
    const thrower = {
      get what(): string {
        throw new RangeError('a getter of the caller\u2019s');
      },
    };
    t.throws(() => call(thrower, 0), { name: 'RangeError' });
    t.throws(
      () => Reflect.apply(device.allocate, device, [4096n, 0, 0, 7]),
      /allocate: dedicated must be a buffer or an image/,
    );
    t.throws(() => Reflect.apply(device.zero, device, [{}]), /zero: memory must be a VulkanMemory/);
    t.throws(() => device.fdTypeBits(2 ** 31 - 1, DMA_BUF), /fdTypeBits: fd must be an open file descriptor/);
  });

  t.test('no query leaves an fd open', async (t) => {
    t.equal(openFds(), before);
  });
}
