/**
 * A large OPAQUE_FD on an NVIDIA GPU in another process: the device reads CUDA's writes, and while CUDA holds
 * the freed memory, the daemon's draining bytes equal those that nvidia-smi still shows.
 */
import type { Test } from 'tap';
import { assertCounts } from '../support/daemon.js';
import { CudaPeer } from './cuda-peer.js';
import { fdOf, grantOf, type Held, mapped, Session } from './session.js';
import {
  availableBytes,
  deviceOf,
  figure,
  firstWrong,
  fitting,
  GIB,
  gpuTest,
  MIB,
  SLACK,
  startOnGpu,
  timed,
  until,
  usedBytes,
} from './support.js';

const WANTED = 64 * GIB;
const STRIDE = 16 * MIB;
const WORD = 0x0badca00;

/** Offsets of the first and the last MiB of every GiB. */
function samplesOf(size: number): number[] {
  const chunk = Math.min(GIB, size);
  const starts = Array.from({ length: size / chunk }, (_, index) => index * chunk);
  return starts.flatMap((start) => [start, start + chunk - MIB]);
}

/**
 * Makes the device copy samples to memory that the CPU can read. Returns the number that differ from what
 * CUDA painted.
 */
async function wrongSamples(session: Session, painted: Held, size: number): Promise<number> {
  const samples = samplesOf(size);
  const host = await session.allocate(samples.length * MIB, ['KIND_MAPPABLE']);
  const view = mapped(host);
  let wrong = 0;
  for (const [index, source] of samples.entries()) {
    await session.copy(painted, host, { source, destination: index * MIB, size: MIB });
    const words = new Uint32Array(view.buffer, index * MIB, MIB / 4);
    if (firstWrong(words, WORD + Math.floor(source / STRIDE)) >= 0) wrong += 1;
  }
  view.unmap();
  await session.free(host);
  return wrong;
}

/** The GPU memory that a CUDA process uses for itself. It is released when this returns. */
async function contextBytes(t: Test, uuid: Uint8Array, baseline: number): Promise<number> {
  const idle = await CudaPeer.start(t, uuid);
  const used = usedBytes(uuid) - baseline;
  await idle.end();
  t.ok(
    await until(() => Math.abs(usedBytes(uuid) - baseline) <= SLACK),
    'an idle CUDA process left no memory in use',
  );
  return used;
}

gpuTest("the device reads CUDA's bytes, and draining bytes agree with nvidia-smi", async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const { deviceUuid } = await deviceOf(runtimeDir);
  const owner = await Session.open(t, runtimeDir);
  const holder = await Session.open(t, runtimeDir);
  const first = await owner.allocate(2 * MIB, ['KIND_OPAQUE_FD'], { grantKinds: [] });
  await owner.fill(first, 1); // the driver's resources for its first transfer are part of the baseline
  await owner.free(first);
  const baseline = usedBytes(deviceUuid);
  const context = await contextBytes(t, deviceUuid, baseline);
  figure(t, 'CUDA context', context / MIB, 'MiB');

  const size = fitting(t, WANTED, await availableBytes(owner.control));
  const allocated = await timed(() =>
    owner.allocate(size, ['KIND_OPAQUE_FD'], { name: 'large', grantKinds: [] }),
  );
  figure(t, `allocate ${size / GIB} GiB`, allocated.ms, 'ms');
  const claimed = await timed(() => holder.claim(allocated.result.allocation.id, ['KIND_OPAQUE_FD']));
  figure(t, `export and grant ${size / GIB} GiB`, claimed.ms, 'ms');
  const held = claimed.result;
  const grant = grantOf(held);
  t.equal(grant.allocationSizeBytes, BigInt(size));
  t.same(grant.deviceUuid, deviceUuid);

  const peer = await CudaPeer.start(t, deviceUuid, [fdOf(held, 'KIND_OPAQUE_FD')]);
  const { importMs, mapMs } = await peer.ask('adopt', { size, dedicated: grant.dedicated });
  figure(t, `CUDA import and map ${size / GIB} GiB`, importMs + mapMs, 'ms');
  const painted = await timed(() => peer.ask('paint', { offset: 0, size, stride: STRIDE, word: WORD }));
  figure(t, `CUDA writes ${size / GIB} GiB`, painted.ms, 'ms');
  const wrong = await wrongSamples(owner, held, size);
  t.equal(wrong, 0, "the device read CUDA's bytes, in the first and last MiB of every GiB");

  t.equal(await owner.free(held), false, 'freed while the CUDA process holds it: not yet released');
  await assertCounts(t, runtimeDir, { sessions: 2, drainingAllocations: 1, grants: 1 });
  const { heaps } = await owner.control.budget();
  const heap = heaps.find(({ heapIndex }) => heapIndex === grant.heapIndex);
  t.match(heap, { liveBytes: 0n, drainingBytes: BigInt(size) }, 'all of it is draining on its heap');
  const shown = usedBytes(deviceUuid) - baseline;
  figure(t, 'draining_bytes', size / MIB, 'MiB');
  figure(t, 'nvidia-smi shows above the baseline', shown / MIB, 'MiB');
  figure(t, 'beyond draining bytes and the CUDA context', (shown - size - context) / MIB, 'MiB');
  t.ok(Math.abs(shown - size) <= SLACK + context, 'nvidia-smi shows the draining bytes');

  await peer.ask('close', {});
  await peer.end();
  await holder.release(held);
  await assertCounts(t, runtimeDir, { sessions: 2 });
  t.ok(
    await until(() => usedBytes(deviceUuid) - baseline <= SLACK),
    'when CUDA has released it, nvidia-smi shows the bytes as free',
  );
});
