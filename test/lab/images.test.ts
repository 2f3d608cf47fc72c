/**
 * Images as dma-bufs of a real driver: a second process and device imports a linear image, as the image that
 * the grant describes and as one of VK_EXT_image_drm_format_modifier. The daemon itself makes no images by
 * modifiers.
 */
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import type { Memory } from '@vkmemd/client';
import t from 'tap';
import { loadNative } from 'vkmemd/dist/vulkan/native.js';
import { driverUnderTest, plainEnvironment, root, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { runProgram } from '../support/program.js';
import { refusal } from '../vulkan/refusal.js';
import { connectTo } from './guest.js';

const IMPORTER = join(root, 'test/lab/build/image-importer');
const KINDS = ['MAPPABLE', 'DMA_BUF'] as const;
const TEXEL = 4;
/** A width whose rows may need padding; for transfers. */
const IMAGE = { format: 37, width: 51, height: 24, tiling: 'LINEAR', usage: 0x3 } as const;
const MODIFIER_TILING = 1_000_158_000;
const CLEARED = '11223344';

/** What image-importer prints: bytes, and hexadecimal digits. */
interface Found {
  readonly modifiers: readonly { readonly modifier: string; readonly planes: number }[];
  readonly offset: number;
  readonly rowPitch: number;
  readonly texels: string;
}

async function importedAs(how: 'linear' | 'modifier', memory: Memory): Promise<Found> {
  const grant = memory.grants.find(({ kind }) => kind === 'KIND_DMA_BUF');
  const description = grant?.image?.description;
  if (!grant || !description) throw new Error('the grant describes no image');
  const { format, width, height, usage } = description;
  const { allocationSizeBytes, memoryTypeIndex, dedicated, handleTypes } = grant;
  const numbers = [allocationSizeBytes, memoryTypeIndex, Number(dedicated), format, width, height];
  using fd = memory.fd('DMA_BUF');
  const args = [how, ...numbers, usage, handleTypes].map(String);
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() };
  const { code, stdout, stderr } = await runProgram(IMPORTER, args, env, [fd.fd]);
  if (code !== 0) throw new Error(`image-importer ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Found;
}

/** The texels of an image in a mapping, row by row. */
function texelsOf(bytes: Uint8Array, { offset, rowPitch }: Found): string {
  const rows = Array.from({ length: IMAGE.height }, (_, row) => offset + row * rowPitch);
  return rows.map((at) => Buffer.from(bytes.subarray(at, at + IMAGE.width * TEXEL)).toString('hex')).join('');
}

t.test('images as dma-bufs', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connectTo(runtimeDir);
  const { driverName, driverInfo } = (await client.devices()).devices[0] ?? {};
  for (const how of ['linear', 'modifier'] as const) {
    await t.test(`a linear image is imported by a second process and device: ${how}`, async (t) => {
      await using memory = await client.allocate({ kinds: KINDS, image: IMAGE });
      using map = memory.map();
      randomFillSync(map.bytes);
      map.sync();
      const written = Buffer.from(map.bytes);
      const found = await importedAs(how, memory);
      const { modifiers, rowPitch, offset } = found;
      t.same(modifiers, [{ modifier: '0', planes: 1 }], 'the driver has DRM_FORMAT_MOD_LINEAR only');
      t.ok(rowPitch >= IMAGE.width * TEXEL, `rows of ${rowPitch} bytes`);
      t.ok(offset + rowPitch * IMAGE.height <= map.length, 'the plane is within the memory');
      t.comment(`figure: ${driverName} ${driverInfo}, ${how}: offset ${offset}, pitch ${rowPitch}`);
      t.equal(found.texels, texelsOf(written, found), 'it reads the bytes of the mapping');
      map.sync();
      const texels = IMAGE.width * IMAGE.height;
      t.equal(texelsOf(map.bytes, found), CLEARED.repeat(texels), 'the mapping has what it wrote');
    });
  }

  await t.test('tilings with modifiers are refused', async (t) => {
    const refused = { code: 'INVALID_ARGUMENT', message: /image\.tiling/ };
    const options = { kinds: KINDS, image: { ...IMAGE, tiling: 'DRM_FORMAT_MODIFIER' as 'LINEAR' } };
    await t.rejects(client.allocate(options), refused, 'by the client');
    const wire = await HandoffWire.open(runtimeDir);
    const image = { ...IMAGE, depth: 1, mipLevels: 1, arrayLayers: 1, samples: 1, flags: 0 };
    const tiling = MODIFIER_TILING as unknown as 'IMAGE_TILING_LINEAR';
    const described = { ...image, type: 'IMAGE_TYPE_2D' as const, tiling };
    await t.rejects(
      wire.ask({ allocate: { kinds: ['KIND_DMA_BUF'], image: described } }),
      refused,
      'on the wire',
    );
    wire.close();

    const { enumerate, openDevice } = loadNative();
    const extensions = (await enumerate())[0]?.extensions ?? [];
    t.ok(extensions.includes('VK_EXT_image_drm_format_modifier'), 'although the driver has the extension');
    const device = await openDevice(0, 0n);
    const native = { what: 'image' as const, ...image, type: 1, tiling: MODIFIER_TILING };
    await t.rejects(device.requirements(native, 0), refusal('NOT_LISTED'), 'by the addon');
    await device.destroy();
  });
});
