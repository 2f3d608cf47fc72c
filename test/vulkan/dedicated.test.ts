/**
 * Memory dedicated to a buffer or an image, and zeroing: by a fill, by a clear and by the host.
 *
 * lavapipe's opaque fd is a file with a header before the bytes, so a test can change memory that no command
 * of the addon can write: see `soil`.
 */
import { closeSync, fstatSync, writeSync } from 'node:fs';
import { createMemfd } from '@vkmemd/proto';
import t from 'tap';
import {
  loadNative,
  type NativeBuffer,
  type NativeImage,
  type NativeMemory,
  type NativeResource,
} from 'vkmemd/dist/vulkan/native.js';
import { refusal } from './refusal.js';
import { needsLavapipe, openFds } from './support.js';

const OPAQUE_FD = 0x1;
const HOST_ALLOCATION = 0x80;
const DMA_BUF = 0x200;
const RDMA_ADDRESS = 0x1000;
const SRC = 0x1;
const DST = 0x2;

const SIZE = 65_536n;
const buffer: NativeBuffer = { what: 'buffer', size: SIZE, usage: SRC | DST };
const image: NativeImage = {
  what: 'image',
  flags: 0,
  type: 1,
  format: 37,
  width: 64,
  height: 64,
  depth: 1,
  mipLevels: 3,
  arrayLayers: 2,
  samples: 1,
  tiling: 0,
  usage: SRC | DST,
};

if (needsLavapipe) t.plan(0, needsLavapipe);
else {
  const device = await loadNative().openDevice(0, 0n);
  t.teardown(() => device.destroy());
  const before = openFds();

  const dedicatedTo = async (resource: NativeResource, exportTypes: number): Promise<NativeMemory> => {
    const { size } = await device.requirements(resource, exportTypes);
    return await device.allocate(size, 0, exportTypes, resource);
  };
  const bytesOf = async (memory: NativeMemory): Promise<Buffer> =>
    Buffer.from(await memory.read(0n, memory.size));
  const isZero = async (memory: NativeMemory): Promise<boolean> =>
    (await bytesOf(memory)).equals(Buffer.alloc(Number(memory.size)));

  /** Writes 0xff over the last `size` bytes of the file without the driver: the header comes first. */
  const soil = async (memory: NativeMemory): Promise<void> => {
    const fd = await memory.exportFd(OPAQUE_FD);
    const size = Number(memory.size);
    writeSync(fd, Buffer.alloc(size, 0xff), 0, size, fstatSync(fd).size - size);
    closeSync(fd);
    if ((await bytesOf(memory)).at(-1) !== 0xff) throw new Error('the memory is not soiled');
  };

  t.test('memory of a buffer is filled, copied and zeroed through the buffer', async (t) => {
    const memory = await dedicatedTo(buffer, OPAQUE_FD);
    await device.fill(memory, 0n, SIZE, 0xa5a5a5a5);
    await device.fill(memory, 4n, 8n, 0x01020304);
    await device.copy(memory, 4n, memory, SIZE - 3n, 3n);
    const expected = Buffer.alloc(Number(SIZE), 0xa5);
    expected.fill(Buffer.of(4, 3, 2, 1), 4, 12);
    expected.set([4, 3, 2], Number(SIZE) - 3);
    t.ok((await bytesOf(memory)).equals(expected));

    const fd = await memory.exportFd(OPAQUE_FD);
    const other = await device.importFd(fd, OPAQUE_FD, memory.size, 0, buffer);
    closeSync(fd);
    t.ok((await bytesOf(other)).equals(expected), 'the import has the bytes');
    await t.rejects(other.exportFd(OPAQUE_FD), refusal('NOT_LISTED'), 'it cannot be exported again');
    const plain = await device.allocate(SIZE, 0, 0);
    await device.copy(other, 0n, plain, 0n, SIZE);
    t.ok((await bytesOf(plain)).equals(expected));
    await device.zero(other);
    t.ok(await isZero(memory), 'zeroed through the import');
    await Promise.all([memory.free(), other.free(), plain.free()]);
  });

  t.test("transfers require the buffer's usage, and a range inside it", async (t) => {
    const readable = await dedicatedTo({ ...buffer, usage: SRC }, 0);
    const writable = await dedicatedTo({ ...buffer, usage: DST }, 0);
    const noTarget = refusal('NOT_LISTED', { detail: /without TRANSFER_DST/ });
    await t.rejects(device.fill(readable, 0n, 4n, 0), noTarget);
    await t.rejects(
      device.copy(writable, 0n, writable, 4n, 4n),
      refusal('NOT_LISTED', { detail: /without TRANSFER_SRC/ }),
    );
    await t.rejects(device.copy(readable, 0n, readable, 4n, 4n), noTarget);
    await t.rejects(device.fill(writable, SIZE - 4n, 8n, 0), refusal('RANGE'));
    await device.copy(readable, 0n, writable, 0n, SIZE);
    await Promise.all([readable.free(), writable.free()]);
  });

  t.test('the memory has the required size and a permitted type', async (t) => {
    await t.rejects(
      device.allocate(SIZE + 4096n, 0, 0, buffer),
      refusal('RANGE', {
        call: 'vkAllocateMemory',
        detail: 'the dedicated resource requires 65536 bytes, the memory has 69632',
      }),
    );
    await t.rejects(device.allocate(SIZE, 1, 0, buffer), refusal('RANGE', { detail: /memory type/ }));
  });

  t.test('memory of an image is cleared, texels only', async (t) => {
    const depth = { ...image, format: 126, usage: 0x20 | DST };
    const both = { ...image, format: 130, usage: 0x20 | DST };
    const many = { ...image, mipLevels: 1, samples: 4, usage: 0x10 | DST };
    const deep = { ...image, type: 2, depth: 8, arrayLayers: 1 };
    for (const resource of [image, { ...image, tiling: 1 }, depth, both, many, deep]) {
      const memory = await dedicatedTo(resource, OPAQUE_FD);
      await soil(memory);
      await device.zero(memory);
      // No padding here: rows have 64 texels of 4 bytes.
      const texels = (await bytesOf(memory)).subarray(0, 64 * 64 * 4);
      t.ok(texels.equals(Buffer.alloc(texels.length)), `format ${resource.format}, type ${resource.type}`);
      const refused = refusal('NOT_LISTED', { detail: 'memory dedicated to an image' });
      await t.rejects(device.fill(memory, 0n, 4n, 0), refused);
      await t.rejects(device.copy(memory, 0n, memory, 4n, 4n), refused);
      const fd = await memory.exportFd(OPAQUE_FD);
      const other = await device.importFd(fd, OPAQUE_FD, memory.size, 0, resource);
      closeSync(fd);
      await device.zero(other);
      await Promise.all([memory.free(), other.free()]);
    }
  });

  t.test('the error names the reason why an image cannot be cleared', async (t) => {
    const compressed = await dedicatedTo({ ...image, format: 131 }, 0);
    await t.rejects(
      device.zero(compressed),
      refusal('NOT_LISTED', { detail: /format 131 cannot be cleared/ }),
    );
    const sampled = await dedicatedTo({ ...image, usage: 0x4 }, 0);
    await t.rejects(
      device.zero(sampled),
      refusal('NOT_LISTED', { detail: 'the image has no TRANSFER_DST usage' }),
    );
    await Promise.all([compressed.free(), sampled.free()]);
  });

  t.test('other memory is zeroed by fills, or by the host where fills are impossible', async (t) => {
    const plain = await device.allocate(1n << 20n, 0, OPAQUE_FD);
    await soil(plain);
    await device.zero(plain);
    t.ok(await isZero(plain), 'in windows');
    const odd = await device.allocate(4096n + 3n, 0, OPAQUE_FD);
    await soil(odd);
    await device.zero(odd);
    t.ok(await isZero(odd), 'the last three bytes are not a whole word');
    const readable = await dedicatedTo({ ...buffer, usage: SRC }, OPAQUE_FD);
    await soil(readable);
    await device.zero(readable);
    t.ok(await isZero(readable), 'a transfer cannot write to the buffer');
    await Promise.all([plain.free(), odd.free(), readable.free()]);
    await t.rejects(device.zero(plain), refusal('FREED'));
  });

  t.test('a handle type that the driver does not list is refused', async (t) => {
    const memory = await device.allocate(4096n, 0, OPAQUE_FD);
    const refused = refusal('NOT_LISTED');
    await t.rejects(
      memory.remoteAddress(RDMA_ADDRESS),
      refusal('NOT_LISTED', { call: 'vkGetMemoryRemoteAddressNV' }),
    );
    await t.rejects(memory.exportFd(DMA_BUF), refused, 'a handle type that the memory was not allocated for');
    using memfd = await createMemfd('test-refused', 4096n);
    await t.rejects(device.importFd(memfd.fd, DMA_BUF, 4096n, 0), refused);
    await t.rejects(device.importFd(memfd.fd, HOST_ALLOCATION, 4096n, 0), refused);
    await t.rejects(device.fdTypeBits(memfd.fd, OPAQUE_FD), refused);
    await t.rejects(device.fdTypeBits(memfd.fd, DMA_BUF), refused);
    await memory.free();
    await t.rejects(memory.remoteAddress(RDMA_ADDRESS), refusal('FREED'));
  });

  t.test('no device memory is left', async (t) => {
    t.equal(openFds(), before);
  });
}
