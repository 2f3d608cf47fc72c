/**
 * What the daemon finds out about an NVIDIA GPU, and that a request gets what the report says: the kind, or a
 * refusal with the reason.
 */
import type { Decoded, VkmemError } from '@vkmemd/proto';
import type { Test } from 'tap';
import { Session } from './session.js';
import { deviceOf, figure, GIB, gpuTest, MIB, startOnGpu } from './support.js';

type Report = Decoded<'KindReport'>;

const EXTENSIONS: Partial<Record<Report['kind'], string>> = {
  KIND_DMA_BUF: 'VK_EXT_external_memory_dma_buf',
  KIND_RDMA_ADDRESS: 'VK_NV_external_memory_rdma',
};
const ALWAYS: Report['kind'][] = ['KIND_MAPPABLE', 'KIND_OPAQUE_FD'];

/** Allocates 1 MiB of one kind, which must go as the report says. */
async function claimHeld(t: Test, session: Session, { kind, rung, missing, reason }: Report): Promise<void> {
  if (rung === 'RUNG_UNSUPPORTED') {
    t.match(missing, /^(extension|feature|type|export|works)$/, `${kind}: what is missing`);
    if (missing === 'extension') t.match(reason, EXTENSIONS[kind], 'the reason names it');
    const refusal = session.allocate(MIB, [kind]).then(
      () => undefined,
      (error: VkmemError) => error,
    );
    t.match(await refusal, { code: 'KIND_UNSUPPORTED', message: reason }, 'a request is told the same');
    return;
  }
  const held = await session.allocate(MIB, [kind]);
  const [grant] = held.grants;
  t.equal(grant?.kind, kind, `${kind}: granted`);
  if (kind === 'KIND_RDMA_ADDRESS') t.not(grant?.remoteAddress, 0n, 'an address');
  else t.equal(held.fds.length, 1, 'one fd');
  for (const fd of held.fds) fd.close();
  await session.free(held);
}

gpuTest('what the GPU can do', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const device = await deviceOf(runtimeDir);
  t.match(device.driverName, /NVIDIA/i);
  figure(t, 'device', device.name);
  figure(t, 'driver', `${device.driverName} ${device.driverInfo}`);
  for (const { index, sizeBytes, flags } of device.heaps) {
    figure(t, `heap ${index} (flags ${flags})`, Number(sizeBytes) / GIB, 'GiB');
  }
  figure(t, 'maxMemoryAllocationSize', Number(device.maxAllocationSizeBytes) / GIB, 'GiB');
  figure(t, 'maxMemoryAllocationCount', device.maxAllocationCount);

  const session = await Session.open(t, runtimeDir);
  t.equal(device.kinds.length, 4, 'all four kinds are reported');
  for (const report of device.kinds) {
    const { kind, rung, via, missing, reason } = report;
    figure(t, `${kind} ${rung}`, [via, missing, reason].filter((text) => text).join('; '));
    if (ALWAYS.includes(kind)) t.equal(rung, 'RUNG_VERIFIED', `${kind}: bytes were moved at start`);
    await claimHeld(t, session, report);
  }
});
