/**
 * Dma-bufs of a real kernel and a real driver: what the daemon reports, memory that is MAPPABLE and DMA_BUF at
 * once, imports from the kernel's own makers of dma-bufs, and survival of the daemon's death.
 */
import { readFileSync } from 'node:fs';
import type { Client, Memory } from '@vkmemd/client';
import { createMemfd, mapFd, type OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import { foreignDmaBuf } from './dma-buf-source.js';
import { connectTo } from './guest.js';
import { sharedDaemon } from './shared-daemon.js';

const MIB = 1 << 20;
const SIZE = MIB;
const PAGE = 4096;
const PATTERN = 0x5eedc0de;

function patterned(pattern: number, length = SIZE): Buffer {
  const word = Buffer.alloc(4);
  word.writeUInt32LE(pattern);
  return Buffer.alloc(length, word);
}

/** The bytes that a copy by the device reads. */
async function bytesOf(client: Client, memory: Memory): Promise<Buffer> {
  await using copy = await client.allocate({ size: memory.size });
  await client.transfer({ copy: { from: memory, to: copy } });
  using map = copy.map();
  return Buffer.from(map.bytes);
}

/** The bytes of a file, by a mapping of this process. */
function mappedBytes(fd: OwnedFd): Buffer {
  using mapping = mapFd(fd, { offset: 0n, length: SIZE, access: 'ro' });
  return Buffer.from(Buffer.from(mapping.buffer));
}

t.test('on a real driver', async (t) => {
  const { runtimeDir } = await sharedDaemon(t);
  await using client = await connectTo(runtimeDir);

  await t.test('dma-bufs are VERIFIED, and MAPPABLE works by them too', async (t) => {
    const { devices } = await client.devices();
    const kinds = Object.fromEntries((devices[0]?.kinds ?? []).map((report) => [report.kind, report]));
    t.match(kinds.KIND_DMA_BUF, { rung: 'RUNG_VERIFIED', via: 'VK_EXT_external_memory_dma_buf' });
    t.match(kinds.KIND_DMA_BUF?.reason, / The kernel counts its holders\.$/);
    t.match(kinds.KIND_MAPPABLE, { rung: 'RUNG_VERIFIED', via: /^memfd/, reason: /By dma-buf: 65536 bytes/ });
    t.match((await client.budget()).heaps[0], { source: 'BUDGET_SOURCE_EXT' });
  });

  await t.test('MAPPABLE and DMA_BUF on one allocation: it is a dma-buf that maps', async (t) => {
    await using memory = await client.allocate({ size: SIZE, kinds: ['MAPPABLE', 'DMA_BUF'] });
    const [mappable, dmaBuf] = memory.grants;
    t.match(mappable, { kind: 'KIND_MAPPABLE', dmaBufSync: true, mapSizeBytes: BigInt(SIZE) });
    t.match(dmaBuf, { kind: 'KIND_DMA_BUF', dmaBufSync: false, mapSizeBytes: 0n });
    using map = memory.map();
    await client.transfer({ fill: { to: memory, pattern: PATTERN } });
    map.sync();
    t.equal(Buffer.compare(map.bytes, patterned(PATTERN)), 0, "the device's fill is in the mapping");
    map.bytes.fill(0x7b);
    map.sync();
    t.equal(Buffer.compare(await bytesOf(client, memory), Buffer.alloc(SIZE, 0x7b)), 0, 'and the reverse');
    const read = await client.claim(memory, { kinds: ['MAPPABLE'], access: 'ro' });
    t.match(read.grants[0], { readOnly: 'READ_ONLY_STRENGTH_ADVISORY' }, 'which the kernel cannot enforce');
    using readable = read.map({ access: 'ro' });
    t.equal(readable.bytes[SIZE - 1], 0x7b, 'which is mapped for reading');
    readable.unmap();
    await read.release();
    await t.rejects(client.allocate({ size: SIZE, kinds: ['MAPPABLE', 'DMA_BUF'], publishable: true }), {
      code: 'KIND_UNSUPPORTED',
      message:
        /HOST_ALLOCATION is not compatible with DMA_BUF.* Without `publishable` MAPPABLE can be a dma-buf/,
    });
  });

  await t.test("the kernel's maximum for one dma-buf is a typed refusal", async (t) => {
    const limit = readFileSync('/sys/module/udmabuf/parameters/size_limit_mb', 'utf8').trim();
    const size = Number(limit) * MIB;
    for (const kinds of [['DMA_BUF'], ['MAPPABLE', 'DMA_BUF']] as const) {
      const memory = await client.allocate({ size, kinds });
      await memory.free();
      await t.rejects(client.allocate({ size: size + PAGE, kinds }), { code: 'DEVICE_OUT_OF_MEMORY' });
    }
    await using larger = await client.allocate({ size: size + PAGE, kinds: ['MAPPABLE'] });
    t.equal(larger.size, BigInt(size + PAGE), 'memory of no dma-buf may be larger');
  });

  for (const kind of ['udmabuf', 'heap'] as const) {
    await t.test(`a dma-buf of ${kind} is imported with its bytes`, async (t) => {
      const { dmaBuf, memfd } = await foreignDmaBuf(kind, BigInt(SIZE));
      const own = memfd ?? dmaBuf;
      const memory = await client.importMemory({ fd: dmaBuf, source: 'DMA_BUF', kinds: ['DMA_BUF'] });
      t.match(memory.allocation, { imported: true, sizeBytes: BigInt(SIZE) });
      await client.transfer({ fill: { to: memory, pattern: PATTERN } });
      t.equal(Buffer.compare(mappedBytes(own), patterned(PATTERN)), 0, "the device's fill is in the file");
      t.equal(Buffer.compare(await bytesOf(client, memory), patterned(PATTERN)), 0, 'the device reads it');
      await memory.free();
      t.equal(Buffer.compare(mappedBytes(own), patterned(PATTERN)), 0, 'the bytes stay with the client');
      dmaBuf.close();
      memfd?.close();
    });
  }

  await t.test('what is no dma-buf of that size is refused before the driver gets it', async (t) => {
    const { dmaBuf, memfd } = await foreignDmaBuf('udmabuf', BigInt(SIZE));
    await t.rejects(client.importMemory({ fd: dmaBuf, source: 'DMA_BUF', size: SIZE * 2 }), {
      code: 'INVALID_SIZE',
    });
    await t.rejects(client.importMemory({ fd: dmaBuf, source: 'MEMFD' }), { code: 'INVALID_HANDLE' });
    using plain = await createMemfd('lab', BigInt(SIZE));
    await t.rejects(client.importMemory({ fd: plain, source: 'DMA_BUF' }), { code: 'INVALID_HANDLE' });
    dmaBuf.close();
    memfd?.close();
    await t.rejects(foreignDmaBuf('unsealed', BigInt(SIZE)), /UDMABUF_CREATE: Invalid argument/);
  });
});

t.test('memory that is a dma-buf survives a SIGKILL of the daemon', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  await using client = await connectTo(daemon.runtimeDir);
  const kinds = ['MAPPABLE', 'DMA_BUF'] as const;
  const memory = await client.allocate({ size: SIZE, kinds, name: 'kept' });
  await client.transfer({ fill: { to: memory, pattern: PATTERN } });
  await daemon.kill();
  await daemon.serving();
  await using after = await connectTo(daemon.runtimeDir);
  const again = await after.claim({ name: 'kept' }, { kinds });
  using map = again.map();
  t.equal(Buffer.compare(map.bytes, patterned(PATTERN)), 0, 'its bytes are in a mapping');
  t.equal(Buffer.compare(await bytesOf(after, again), patterned(PATTERN)), 0, 'and the device reads them');
  await again.free();
});
