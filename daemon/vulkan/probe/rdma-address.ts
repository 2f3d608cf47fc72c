/**
 * The probe of RDMA_ADDRESS: whether the driver returns an address. It reports SUPPORTED at most, because it
 * cannot verify that a peer device can access the address.
 */
import { AsyncDisposableStack } from '@vkmemd/proto';
import { native } from '../errors.js';
import { refuseForBuffers } from '../external-support.js';
import { Extension, HandleType } from '../flags.js';
import { type KindReport, refused, supported, unsupported } from '../kinds.js';
import { exportRdmaAddress } from '../rdma-address.js';
import { dedicationOf, free, type ProbeSubject, undefinedIfFull } from './sample.js';

/** @throws VkmemError DEVICE_LOST, or another code if the driver fails. */
export async function probeRdmaAddress(subject: ProbeSubject): Promise<KindReport> {
  const refusal = refuseForBuffers(subject.info, HandleType.RDMA_ADDRESS);
  if (refusal !== undefined) return refused(refusal);
  const type = subject.types.rdma;
  if (type === undefined) {
    return unsupported('no RDMA-capable memory type supports buffers of the handle type.', 'type');
  }
  const { device, size } = subject;
  const dedicated = dedicationOf(subject, HandleType.RDMA_ADDRESS);
  const memory = await native(device.allocate(size, type, HandleType.RDMA_ADDRESS, dedicated)).catch(
    undefinedIfFull,
  );
  if (memory === undefined) return supported(Extension.RDMA, 'the device had no memory left for the probe.');
  await using held = new AsyncDisposableStack();
  held.adopt(memory, free);
  await native(device.zero(memory));
  const { remoteAddress } = await exportRdmaAddress(memory);
  return remoteAddress === 0n
    ? unsupported('the driver returned the address 0.')
    : supported(Extension.RDMA, 'the driver returned an address; no access by a peer device was verified.');
}
