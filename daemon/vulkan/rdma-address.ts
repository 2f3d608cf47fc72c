/**
 * RDMA_ADDRESS: an address that a peer device reads and writes (VK_NV_external_memory_rdma).
 *
 * It takes the extension, its feature enabled on the device, a memory type with RDMA_CAPABLE, and a driver that lets
 * buffers of the handle type be exported; the first of these that is missing is named. The memory is made exportable
 * as the handle type, a buffer that declares it is bound to zero it, and only then is the address asked for. It is a
 * 64-bit number, owns nothing, is valid as long as the memory, and a peer's driver resolves it in this process.
 *
 * At most SUPPORTED: nothing here can show that a peer device reached the address.
 */
import { refuseForBuffers } from './claims.js';
import { native } from './errors.js';
import type { ExportedHandle } from './exported-handle.js';
import { Extension, HandleType } from './flags.js';
import { type KindReport, refused, supported, unsupported } from './kinds.js';
import type { NativeMemory } from './native.js';
import { dedicationOf, type ProbeSubject, whenFull } from './probe/sample.js';

/** The address, for one grant. @throws VkmemError as the driver fails. */
export async function exportRdmaAddress(memory: NativeMemory): Promise<ExportedHandle> {
  return {
    kind: 'RDMA_ADDRESS',
    fd: undefined,
    remoteAddress: await native(memory.remoteAddress(HandleType.RDMA_ADDRESS)),
    mapOffset: 0n,
    mapSize: 0n,
    fileSize: 0n,
    handleType: HandleType.RDMA_ADDRESS,
    dmaBufSync: false,
  };
}

/** Whether the driver gives an address. @throws VkmemError DEVICE_LOST, or as the driver fails. */
export async function probeRdmaAddress(subject: ProbeSubject): Promise<KindReport> {
  const refusal = refuseForBuffers(subject.info, HandleType.RDMA_ADDRESS);
  if (refusal !== undefined) return refused(refusal);
  const type = subject.types.rdma;
  if (type === undefined) {
    return unsupported('no RDMA-capable memory type can hold a buffer of the handle type.', 'type');
  }
  const { device, size } = subject;
  const dedicated = dedicationOf(subject, HandleType.RDMA_ADDRESS);
  const memory = await native(device.allocate(size, type, HandleType.RDMA_ADDRESS, dedicated)).catch(
    whenFull,
  );
  if (memory === undefined) return supported(Extension.RDMA, 'the device had no memory left for the probe.');
  try {
    await native(device.zero(memory));
    const { remoteAddress } = await exportRdmaAddress(memory);
    return remoteAddress === 0n
      ? unsupported('the driver gave the address 0.')
      : supported(Extension.RDMA, 'the driver gives an address; no peer device was there to use it.');
  } finally {
    await native(memory.free());
  }
}
