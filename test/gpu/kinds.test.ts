/**
 * The daemon's report about an NVIDIA GPU, and that requests agree with it: the kind is granted, or refused
 * with the reported reason.
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

/** Allocates 1 MiB of one kind, with the result that the report predicts. */
async function claimHeld(t: Test, session: Session, { kind, rung, missing, reason }: Report): Promise<void> {
  if (rung === 'RUNG_UNSUPPORTED') {
    t.match(missing, /^(extension|feature|type|export|works)$/, `${kind}: the missing part`);
    if (missing === 'extension') t.match(reason, EXTENSIONS[kind], 'the reason names it');
    const refusal = session.allocate(MIB, [kind]).then(
      () => undefined,
      (error: VkmemError) => error,
    );
    t.match(
      await refusal,
      { code: 'KIND_UNSUPPORTED', message: reason },
      'a request is refused with the same reason',
    );
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

gpuTest('the reported kinds of the GPU', async (t) => {
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
    if (ALWAYS.includes(kind)) t.equal(rung, 'RUNG_VERIFIED', `${kind}: bytes were moved at the start`);
    await claimHeld(t, session, report);
  }
});
