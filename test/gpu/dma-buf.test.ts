/**
 * DMA_BUF on an NVIDIA GPU, by vkmemd-cuda-export: a dma-buf of the memory's size, which keeps the memory after the process
 * that made it, and its CUDA context, have ended.
 */
import { readFileSync, statfsSync } from 'node:fs';
import { mapFd } from '@vkmemd/proto';
import { fdOf, Session } from './session.js';
import { deviceOf, figure, gpuTest, MIB, SLACK, startOnGpu, timed, until, usedBytes } from './support.js';

const SIZE = 256 * MIB;
/** f_type of statfs(2), from linux/magic.h. */
const DMA_BUF_MAGIC = 0x444d4142;

/** The processes that the daemon started and that run, by their command lines. */
function exporters(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean);
  return children.filter((child) => {
    try {
      return readFileSync(`/proc/${child}/cmdline`, 'latin1').includes('vkmemd-cuda-export');
    } catch {
      return false; // It has ended.
    }
  }).length;
}

gpuTest('CUDA makes a dma-buf, which stays when its process has ended', async (t) => {
  const { runtimeDir, pid } = await startOnGpu(t);
  const { deviceUuid, kinds } = await deviceOf(runtimeDir);
  const report = kinds.find(({ kind }) => kind === 'KIND_DMA_BUF');
  t.match(report, { rung: 'RUNG_SUPPORTED', reason: /vkmemd-cuda-export/ });
  const session = await Session.open(t, runtimeDir);
  const first = await session.allocate(2 * MIB, ['KIND_OPAQUE_FD'], { grantKinds: [] });
  await session.fill(first, 1); // the driver's resources for its first transfer are part of the baseline
  await session.free(first);
  const baseline = usedBytes(deviceUuid);

  const allocated = await timed(() =>
    session.allocate(SIZE, ['KIND_DMA_BUF', 'KIND_OPAQUE_FD'], { name: 'sent', grantKinds: [] }),
  );
  figure(t, 'allocate 256 MiB', allocated.ms, 'ms');
  t.match(allocated.result.allocation, { sizeBytes: BigInt(SIZE), dedicated: true });
  const { id } = allocated.result.allocation;
  const claimed = await timed(() => session.claim(id, ['KIND_DMA_BUF']));
  figure(t, 'claim as DMA_BUF, with the process', claimed.ms, 'ms');
  const held = claimed.result;
  t.equal(exporters(pid), 0, 'its process has ended');
  t.ok(
    await until(() => usedBytes(deviceUuid) - baseline <= SIZE + SLACK),
    'and so has its context: only the memory is in use',
  );
  const fd = fdOf(held, 'KIND_DMA_BUF');
  t.equal(statfsSync(`/proc/self/fd/${fd.fd}`).type, DMA_BUF_MAGIC, 'it is a dma-buf');
  const info = readFileSync(`/proc/self/fdinfo/${fd.fd}`, 'utf8');
  figure(t, 'fdinfo', info.trim().replaceAll(/\s*\n/g, '; '));
  t.match(info, new RegExp(`^size:\\s*${SIZE}$`, 'm'), 'of the size of the memory');
  t.match(info, /^exp_name:/m);
  t.throws(() => mapFd(fd, { offset: 0n, length: SIZE, access: 'rw' }), 'it cannot be mapped');

  const second = await session.claim(id, ['KIND_DMA_BUF']);
  fdOf(second, 'KIND_DMA_BUF').close();
  await session.release(second);
  await session.fill(allocated.result, 0x07070707);
  await session.release(held);
  await session.free(allocated.result);
  t.ok(usedBytes(deviceUuid) - baseline >= SIZE - SLACK, 'the dma-buf keeps the memory that is freed');
  t.match(readFileSync(`/proc/self/fdinfo/${fd.fd}`, 'utf8'), /^exp_name:/m, 'and is the same file');
  fd.close();
  t.ok(await until(() => usedBytes(deviceUuid) - baseline <= SLACK), 'until it is closed');
});

gpuTest('memory that CUDA makes no dma-buf of is refused', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const session = await Session.open(t, runtimeDir);
  await t.rejects(session.allocate(MIB, ['KIND_MAPPABLE', 'KIND_DMA_BUF']), { code: 'KIND_UNSUPPORTED' });
  await t.rejects(session.allocate(MIB, ['KIND_DMA_BUF'], { dedication: 'DEDICATION_NEVER' }), {
    code: 'KIND_UNSUPPORTED',
  });
});
