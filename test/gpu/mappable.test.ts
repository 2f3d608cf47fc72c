/**
 * MAPPABLE memory on an NVIDIA GPU: a mapping shows the device's writes, and the device reads bytes written
 * through a mapping.
 */
import { createHash, randomFillSync } from 'node:crypto';
import type { Mapping } from '@vkmemd/proto';
import { mapped, Session } from './session.js';
import { figure, firstWrong, gpuTest, MIB, startOnGpu, timed } from './support.js';

const SIZE = 256 * MIB;
const PATTERN = 0x5eed0001;

const sha256 = ({ buffer }: Mapping): string =>
  createHash('sha256').update(new Uint8Array(buffer)).digest('hex');

gpuTest('the device reads and writes the memfd', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const session = await Session.open(t, runtimeDir);
  const written = await session.allocate(SIZE, ['KIND_MAPPABLE']);
  const view = mapped(written);
  t.equal(firstWrong(new Uint32Array(view.buffer), 0), -1, 'new memory is zero');
  const { ms } = await timed(() => session.fill(written, PATTERN));
  t.equal(firstWrong(new Uint32Array(view.buffer), PATTERN), -1, 'every word of a device fill is visible');
  figure(t, 'fill of 256 MiB MAPPABLE', ms, 'ms');

  // Meanwhile the bytes are only in the device's own memory.
  const between = await session.allocate(SIZE, ['KIND_OPAQUE_FD'], { grantKinds: [] });
  const back = await session.allocate(SIZE, ['KIND_MAPPABLE']);
  const backView = mapped(back);
  randomFillSync(new Uint8Array(view.buffer));
  const there = await timed(() => session.copy(written, between));
  const home = await timed(() => session.copy(between, back));
  t.equal(sha256(backView), sha256(view), 'the device read the bytes written through a mapping');
  figure(t, 'copy of 256 MiB, MAPPABLE to device', there.ms, 'ms');
  figure(t, 'copy of 256 MiB, device to MAPPABLE', home.ms, 'ms');

  for (const mapping of [view, backView]) mapping.unmap();
  for (const held of [written, between, back]) await session.free(held);
});
