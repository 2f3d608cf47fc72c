/**
 * Memory for a buffer and for an image on an NVIDIA GPU: the driver's requirements, the parameters in a grant
 * that an importer must repeat, and that CUDA, repeating them, maps the memory as that resource.
 */
import type { Decoded } from '@vkmemd/proto';
import type { Test } from 'tap';
import { CudaPeer } from './cuda-peer.js';
import { fdOf, grantOf, type Held, mapped, Session } from './session.js';
import { figure, firstWrong, gpuTest, MIB, startOnGpu } from './support.js';

const BUFFER_SIZE = 16 * MIB;
/** TRANSFER_SRC, TRANSFER_DST, STORAGE_BUFFER. */
const BUFFER_USAGE = 0x1 | 0x2 | 0x20;
const WORD = 0x0b0ff000;
const IMAGE = {
  type: 'IMAGE_TYPE_2D',
  format: 37, // VK_FORMAT_R8G8B8A8_UNORM
  width: 1920,
  height: 1080,
  tiling: 'IMAGE_TILING_OPTIMAL',
  usage: 0x1 | 0x2 | 0x4, // TRANSFER_SRC, TRANSFER_DST, SAMPLED
} as const;
const LAYOUT_GENERAL = 1; // VK_IMAGE_LAYOUT_GENERAL

/** Checks how allocation and grant describe a resource, and prints it. */
function described(t: Test, what: string, held: Held): Decoded<'Grant'> {
  const { allocation } = held;
  const grant = grantOf(held);
  const { requirements } = allocation;
  if (!requirements) throw new Error('no requirements');
  const { sizeBytes, alignmentBytes, memoryTypeBits, prefersDedicated, requiresDedicated } = requirements;
  figure(t, `${what}: size needed`, Number(sizeBytes), 'bytes');
  figure(t, `${what}: size allocated`, Number(allocation.sizeBytes), 'bytes');
  figure(t, `${what}: alignment`, Number(alignmentBytes), 'bytes');
  figure(t, `${what}: memory types`, `0x${memoryTypeBits.toString(16)}`);
  figure(
    t,
    `${what}: prefers, requires, is dedicated`,
    `${prefersDedicated} ${requiresDedicated} ${allocation.dedicated}`,
  );
  t.ok(allocation.sizeBytes >= sizeBytes, 'it is large enough');
  t.ok((memoryTypeBits >>> allocation.memoryTypeIndex) & 1, 'its type is permitted');
  if (requiresDedicated) t.equal(allocation.dedicated, true, 'dedicated, as the driver requires');
  t.equal(grant.dedicated, allocation.dedicated);
  t.equal(grant.allocationSizeBytes, allocation.sizeBytes);
  t.equal(grant.memoryTypeIndex, allocation.memoryTypeIndex);
  t.same(grant.requirements, requirements, 'the grant has the same requirements');
  t.not(grant.handleTypes, 0, 'and the handle types that the resource must declare');
  return grant;
}

gpuTest('memory for a buffer is described and usable by CUDA', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const session = await Session.open(t, runtimeDir);
  const held = await session.allocate(BUFFER_SIZE, ['KIND_OPAQUE_FD'], { buffer: { usage: BUFFER_USAGE } });
  const grant = described(t, 'buffer', held);
  t.equal((grant.buffer?.usage ?? 0) & BUFFER_USAGE, BUFFER_USAGE, 'the usage to repeat');

  const size = Number(grant.allocationSizeBytes);
  const peer = await CudaPeer.start(t, grant.deviceUuid, [fdOf(held, 'KIND_OPAQUE_FD')]);
  await peer.ask('adopt', { size, dedicated: grant.dedicated });
  await peer.ask('paint', { offset: 0, size: BUFFER_SIZE, stride: BUFFER_SIZE, word: WORD });
  const host = await session.allocate(BUFFER_SIZE, ['KIND_MAPPABLE']);
  const view = mapped(host);
  await session.copy(held, host, { size: BUFFER_SIZE });
  t.equal(firstWrong(new Uint32Array(view.buffer), WORD), -1, "the device reads CUDA's bytes");
  await session.fill(held, WORD + 1);
  const filled = { offset: 0, size: BUFFER_SIZE, stride: BUFFER_SIZE, word: WORD + 1 };
  t.same(await peer.ask('check', filled), { wrong: 0 }, "CUDA reads the device's bytes");
  await peer.end();
  view.unmap();
  for (const one of [held, host]) await session.free(one);
});

gpuTest('memory for an image is described and usable by CUDA', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const session = await Session.open(t, runtimeDir);
  const held = await session.allocate(0, ['KIND_OPAQUE_FD'], { image: IMAGE });
  const grant = described(t, 'image', held);
  t.match(
    grant.image,
    { sameDeviceAndDriver: true, layoutForOtherApis: LAYOUT_GENERAL },
    'the conditions for sharing its texels, and the layout for other APIs',
  );
  const { usage = 0, ...rest } = grant.image?.description ?? {};
  const { usage: wanted, ...expected } = IMAGE;
  t.match(
    rest,
    { ...expected, depth: 1, mipLevels: 1, arrayLayers: 1, samples: 1 },
    'the parameters to repeat',
  );
  t.equal(usage & wanted, wanted, 'with its usage');

  const size = Number(grant.allocationSizeBytes);
  const peer = await CudaPeer.start(t, grant.deviceUuid, [fdOf(held, 'KIND_OPAQUE_FD')]);
  await peer.ask('adopt', { size, dedicated: grant.dedicated, mapped: false });
  const { width, height } = IMAGE;
  t.same(
    await peer.ask('image', { width, height }),
    { width, height, channels: 4 },
    'CUDA maps it as an image of the same extent',
  );
  await peer.end();
  await session.free(held);
});

gpuTest('memory dedicated to an image contains no earlier data', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const session = await Session.open(t, runtimeDir);
  for (let round = 0; round < 3; round++) {
    const before = await session.allocate(4 * BUFFER_SIZE, ['KIND_OPAQUE_FD']);
    await session.fill(before, 0xa5a5a5a5);
    await session.free(before);
    const image = { ...IMAGE, width: 1000, height: 777, mipLevels: 5, arrayLayers: 4 };
    const held = await session.allocate(0, ['KIND_OPAQUE_FD'], { image });
    const grant = grantOf(held);
    const size = Number(grant.allocationSizeBytes);
    const peer = await CudaPeer.start(t, grant.deviceUuid, [fdOf(held, 'KIND_OPAQUE_FD')]);
    await peer.ask('adopt', { size, dedicated: grant.dedicated });
    const zero = await peer.ask('check', { offset: 0, size, stride: size, word: 0 });
    t.same(zero, { wrong: 0 }, `texels and padding, dedicated ${grant.dedicated}`);
    await peer.end();
    await session.free(held);
  }
});
