/**
 * Images as dma-bufs of a real driver, used by a second process and device, and by a mapping of the dma-buf: with
 * nothing but what the grant says. Linear images, as the image that the grant describes and by their plane;
 * images of DRM format modifiers, also over a SIGKILL of the daemon.
 */
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import type { Memory } from '@vkmemd/client';
import { type Grant, mapFd } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { loadNative, type NativeImage } from 'vkmemd/dist/vulkan/native.js';
import { driverUnderTest, plainEnvironment, root } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { runProgram } from '../support/program.js';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { refusal } from '../vulkan/refusal.js';
import { connectTo } from './guest.js';
import { sharedDaemon } from './shared-daemon.js';

const IMPORTER = join(root, 'test/lab/build/image-importer');
const TEXEL = 4;
/** A width whose rows may need padding; for transfers. */
const IMAGE = { format: 37, width: 51, height: 24, usage: 0x3 } as const;
const LINEAR = { ...IMAGE, tiling: 'LINEAR' } as const;
const TILED = { ...IMAGE, tiling: 'DRM_FORMAT_MODIFIER' } as const;
const MODIFIER_TILING = 1_000_158_000;
/** DRM_FORMAT_MOD_LINEAR, and I915_FORMAT_MOD_X_TILED, which lavapipe does not have. */
const MOD_LINEAR = 0n;
const MOD_X_TILED = 0x0100_0000_0000_0001n;
const DMA_BUF = 0x200;
const CLEARED = '11223344';

/** What image-importer prints: bytes, and hexadecimal digits. */
interface Found {
  readonly modifiers: readonly { readonly modifier: string; readonly planes: number }[];
  readonly offset: number;
  readonly rowPitch: number;
  readonly texels: string;
}

type ImageGrant = Grant & { readonly image: NonNullable<Grant['image']> };

function imageGrant({ grants }: Memory): ImageGrant {
  const grant = grants.find(({ kind }) => kind === 'KIND_DMA_BUF');
  if (!grant?.image) throw new Error('the grant describes no image');
  return grant as ImageGrant;
}

/** Runs image-importer with the numbers of the grant. */
async function importedAs(how: 'linear' | 'modifier', memory: Memory): Promise<Found> {
  const grant = imageGrant(memory);
  const { description, planes } = grant.image;
  if (!description) throw new Error('the grant describes no image');
  const { format, width, height, usage, drmFormatModifiers } = description;
  const { allocationSizeBytes, memoryTypeIndex, dedicated, handleTypes } = grant;
  const numbers = [allocationSizeBytes, memoryTypeIndex, Number(dedicated), format, width, height];
  // The plane of a linear image is that of DRM_FORMAT_MOD_LINEAR.
  const layout = planes.flatMap(({ offset, rowPitch }) => [offset, rowPitch]);
  const explicit = how === 'modifier' ? [drmFormatModifiers[0] ?? MOD_LINEAR, ...layout] : [];
  using fd = memory.fd('DMA_BUF');
  const args = [how, ...numbers, usage, handleTypes, ...explicit].map(String);
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() };
  const { code, stdout, stderr } = await runProgram(IMPORTER, args, env, [fd.fd]);
  if (code !== 0) throw new Error(`image-importer ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Found;
}

/** A mapping of the dma-buf itself, without the library's. */
function mapDmaBuf(memory: Memory) {
  using fd = memory.fd('DMA_BUF');
  const length = Number(imageGrant(memory).allocationSizeBytes);
  return mapFd(fd, { offset: 0n, length, access: 'rw' });
}

/** The texels in the bytes of the memory, by the only plane of the grant. */
function texelsOf(memory: Memory, bytes: Uint8Array): string {
  const [plane] = imageGrant(memory).image.planes;
  if (!plane) throw new Error('the grant has no plane');
  const rows = Array.from({ length: IMAGE.height }, (_, row) =>
    Number(plane.offset + plane.rowPitch * BigInt(row)),
  );
  return rows.map((at) => Buffer.from(bytes.subarray(at, at + IMAGE.width * TEXEL)).toString('hex')).join('');
}

const ALL_CLEARED = CLEARED.repeat(IMAGE.width * IMAGE.height);

/** Texels go both ways between a mapping of the dma-buf and another process and device. */
async function exchanges(t: Test, how: 'linear' | 'modifier', memory: Memory): Promise<void> {
  const [plane, ...others] = imageGrant(memory).image.planes;
  t.same(others, [], 'one plane');
  using mapping = mapDmaBuf(memory);
  const bytes = Buffer.from(mapping.buffer);
  randomFillSync(bytes);
  const written = texelsOf(memory, bytes);
  const found = await importedAs(how, memory);
  t.same(found.modifiers, [{ modifier: '0', planes: 1 }], 'the driver has DRM_FORMAT_MOD_LINEAR only');
  t.same([found.offset, found.rowPitch], [Number(plane?.offset), Number(plane?.rowPitch)], 'the same layout');
  t.ok(found.rowPitch >= IMAGE.width * TEXEL, `rows of ${found.rowPitch} bytes`);
  t.equal(found.texels, written, 'it reads the bytes of the mapping');
  t.equal(texelsOf(memory, bytes), ALL_CLEARED, 'the mapping has what it wrote');
}

t.test('images as dma-bufs', async (t) => {
  const { runtimeDir } = await sharedDaemon(t);
  await using client = await connectTo(runtimeDir);
  const { driverName, driverInfo } = (await client.devices()).devices[0] ?? {};
  for (const how of ['linear', 'modifier'] as const) {
    await t.test(`a linear image is imported by a second process and device: ${how}`, async (t) => {
      for (const kinds of [['DMA_BUF'], ['MAPPABLE', 'DMA_BUF']] as const) {
        await using memory = await client.allocate({ kinds, image: LINEAR });
        t.match(imageGrant(memory).image, { sameDeviceAndDriver: true, planes: [{ arrayPitch: 0n }] });
        await exchanges(t, how, memory);
      }
    });
  }

  await t.test('an image of DRM format modifiers is imported by its modifier and planes', async (t) => {
    for (const drmFormatModifiers of [[], [MOD_LINEAR], [MOD_X_TILED, MOD_LINEAR]]) {
      await using memory = await client.allocate({
        kinds: ['DMA_BUF'],
        image: { ...TILED, drmFormatModifiers },
      });
      t.match(imageGrant(memory).image, {
        sameDeviceAndDriver: false,
        layoutForOtherApis: 1,
        description: { tiling: 'IMAGE_TILING_DRM_FORMAT_MODIFIER', drmFormatModifiers: [MOD_LINEAR] },
      });
      t.same(memory.allocation.image?.drmFormatModifiers, [MOD_LINEAR], 'so does the allocation');
      const [plane] = imageGrant(memory).image.planes;
      t.comment(`figure: ${driverName} ${driverInfo}: offset ${plane?.offset}, pitch ${plane?.rowPitch}`);
      using zeroed = mapDmaBuf(memory);
      t.ok(
        Buffer.from(zeroed.buffer).every((byte) => byte === 0),
        'new memory is zero',
      );
      await exchanges(t, 'modifier', memory);
    }
    await using both = await client.allocate({ kinds: ['MAPPABLE', 'DMA_BUF'], image: TILED });
    await exchanges(t, 'modifier', both);
  });

  await t.test('what the driver does not have is a typed refusal', async (t) => {
    const ask = (change: object) => client.allocate({ kinds: ['DMA_BUF'], image: { ...TILED, ...change } });
    await t.rejects(ask({ drmFormatModifiers: [MOD_X_TILED] }), {
      code: 'KIND_UNSUPPORTED',
      message: /lists no requested DRM format modifier for format 37; it lists 0x0/,
      metadata: { kind: 'image', missing: 'export' },
    });
    for (const change of [
      { mipLevels: 3 },
      { arrayLayers: 2 },
      { type: '3D', depth: 4 },
      { width: 1 << 20 },
    ]) {
      const answer = await ask(change).then(
        async (memory) => {
          const [plane] = imageGrant(memory).image.planes;
          await memory.free();
          return `allocated, array pitch ${plane?.arrayPitch}, depth pitch ${plane?.depthPitch}`;
        },
        ({ code, message }) => `${code}: ${message}`,
      );
      t.match(answer, /^(allocated|KIND_UNSUPPORTED)/, JSON.stringify(change));
      t.comment(`figure: ${JSON.stringify(change)}: ${answer}`);
    }
  });
});

t.test('the addon creates an image by one modifier and its planes, and clears it', async (t) => {
  const { enumerate, openDevice } = loadNative();
  const extensions = (await enumerate())[0]?.extensions ?? [];
  t.ok(extensions.includes('VK_EXT_image_drm_format_modifier'));
  t.ok(extensions.includes('VK_KHR_external_semaphore_fd'), 'the driver lists semaphore fds');
  const [device, other] = [await openDevice(0, 0n), await openDevice(0, 0n)];
  const image: NativeImage = {
    ...{ what: 'image', ...IMAGE, flags: 0, type: 1, depth: 1, mipLevels: 1, arrayLayers: 1, samples: 1 },
    tiling: MODIFIER_TILING,
  };
  t.match(await device.formatModifiers(IMAGE.format), [{ modifier: MOD_LINEAR, planes: 1 }]);
  const { modifier, planes } = await device.imageLayout({ ...image, modifiers: [MOD_LINEAR] }, DMA_BUF);
  t.equal(modifier, MOD_LINEAR);
  const explicit = { ...image, modifiers: [MOD_LINEAR], planes };
  t.same(await device.imageLayout(explicit, DMA_BUF), { modifier, planes }, 'an explicit layout is kept');
  const { size } = await device.requirements(explicit, DMA_BUF);
  const memory = await device.allocate(size, 0, DMA_BUF, explicit);
  await device.zero(memory);
  t.ok(
    Buffer.from(await memory.read(0n, size)).every((byte) => byte === 0),
    'cleared',
  );
  const fd = await memory.exportFd(DMA_BUF);
  await (await other.importFd(fd, DMA_BUF, size, 0, explicit)).free();
  await memory.free();

  const unlisted = { ...image, modifiers: [MOD_LINEAR, MOD_X_TILED] };
  await t.rejects(device.requirements(unlisted, DMA_BUF), refusal('NOT_LISTED'));
  const broken = [
    { ...image, modifiers: [] },
    { ...explicit, planes: [...planes, ...planes] },
    { ...unlisted, planes },
    { ...explicit, flags: 0x8 },
    { ...explicit, tiling: 1 },
  ];
  for (const one of broken) await t.rejects(device.requirements(one, DMA_BUF), refusal('RANGE'));
  await device.destroy();
  await other.destroy();
});

t.test('memory of an image of DRM format modifiers survives a SIGKILL of the daemon', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  await using client = await connectTo(daemon.runtimeDir);
  const memory = await client.allocate({ kinds: ['DMA_BUF'], image: TILED, name: 'kept' });
  using before = mapDmaBuf(memory);
  const bytes = Buffer.from(before.buffer);
  randomFillSync(bytes);
  const written = texelsOf(memory, bytes);
  await daemon.kill();
  await daemon.serving();
  await using after = await connectTo(daemon.runtimeDir);
  const again = await after.claim({ name: 'kept' }, { kinds: ['DMA_BUF'] });
  t.match(again.allocation, { state: 'ALLOCATION_STATE_LIVE' });
  t.same(imageGrant(again).image, imageGrant(memory).image, 'the same modifier and planes');
  using mapping = mapDmaBuf(again);
  t.equal(texelsOf(again, Buffer.from(mapping.buffer)), written, 'the same texels');
  await exchanges(t, 'modifier', again);
  await again.free();
});

t.test(
  'a later daemon creates the image that memory is dedicated to by its modifier and planes',
  async (t) => {
    // The fake driver requires dedicated memory for images, and has no dma-bufs of its own.
    const layer = new FakeLayer(t, 'dedicated_only images');
    const daemon = await SupervisedDaemon.start(t, { env: layer.environment });
    await using client = await connectTo(daemon.runtimeDir);
    const options = { kinds: ['OPAQUE_FD'], image: TILED, name: 'kept' } as const;
    const memory = await client.allocate(options);
    t.match(memory.grants[0], { dedicated: true, image: { planes: [{ rowPitch: 256n }] } });
    await daemon.kill();
    // Without serving(), which also waits for the daemon's front.
    await using after = await until('the later daemon', () =>
      connectTo(daemon.runtimeDir).catch(() => undefined),
    );
    const again = await after.claim({ name: 'kept' }, { kinds: ['OPAQUE_FD'] });
    t.match(again.allocation, { state: 'ALLOCATION_STATE_LIVE', dedicated: true });
    t.same(again.grants[0]?.image, memory.grants[0]?.image, 'the same modifier and planes');
    await after.transfer({ sync: again });
    await again.free();
  },
);
