/**
 * One allocation of both kinds on an NVIDIA GPU: CUDA, a mapping and the daemon's device see each other's
 * writes without a copy. CUDA sees bytes that a CPU wrote after CUDA had used the memory only after a sync
 * (docs/kinds.md states the reason).
 */
import { createHash, randomFillSync } from 'node:crypto';
import { CudaPeer } from './cuda-peer.js';
import { fdOf, grantOf, mapped, Session } from './session.js';
import { figure, firstWrong, gpuTest, MIB, startOnGpu } from './support.js';

const SIZE = 256 * MIB;

gpuTest('MAPPABLE and OPAQUE_FD handles of one allocation share their bytes', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const session = await Session.open(t, runtimeDir);
  const held = await session.allocate(SIZE, ['KIND_MAPPABLE', 'KIND_OPAQUE_FD']);
  const grant = grantOf(held);
  const view = mapped(held);
  const words = new Uint32Array(view.buffer);
  const peer = await CudaPeer.start(t, grant.deviceUuid, [fdOf(held, 'KIND_OPAQUE_FD')]);
  const { importMs, mapMs } = await peer.ask('adopt', { size: SIZE, dedicated: grant.dedicated });
  figure(t, 'CUDA import and map 256 MiB of both kinds', importMs + mapMs, 'ms');

  await peer.ask('paint', { offset: 0, size: SIZE, stride: SIZE, word: 0x11223344 });
  t.equal(firstWrong(words, 0x11223344), -1, "the mapping sees CUDA's writes");

  const chunk = MIB / 4;
  for (let i = 0; i < SIZE / MIB; i++) words.fill(0x44332211 + i, i * chunk, (i + 1) * chunk);
  const stale = await peer.ask('check', { offset: 0, size: SIZE, stride: MIB, word: 0x44332211 });
  figure(t, 'MiB of 256 that CUDA read with old bytes, without a sync', stale.wrong, 'MiB');
  await peer.ask('paint', { offset: 0, size: SIZE, stride: SIZE, word: 0x11223344 });
  randomFillSync(words);
  const written = createHash('sha256').update(words).digest('hex');
  await session.sync(held);
  const { sha256 } = await peer.ask('digest', { offset: 0, size: SIZE });
  t.equal(sha256, written, 'CUDA sees the bytes written through the mapping');

  await session.fill(held, 0x55667788);
  t.equal(firstWrong(words, 0x55667788), -1, "the mapping sees the device's fill");
  const { wrong } = await peer.ask('check', { offset: 0, size: SIZE, stride: SIZE, word: 0x55667788 });
  t.equal(wrong, 0, 'CUDA sees it too');

  await peer.end();
  view.unmap();
  await session.free(held);
});
