/**
 * RDMA_ADDRESS: an address by which a peer device accesses memory (VK_NV_external_memory_rdma).
 *
 * It requires the extension, its feature, a memory type with RDMA_CAPABLE, and a driver that can export
 * buffers of the handle type. A refusal names the first of these that is missing. The memory is allocated
 * exportable as the handle type, and zeroed through a buffer that declares it, before the address is read.
 * The address is a 64-bit number that is valid until the memory is freed, and does not keep it allocated. The
 * driver of a peer device resolves it in this process.
 */
import { native } from './errors.js';
import type { ExportedHandle } from './exported-handle.js';
import { HandleType } from './flags.js';
import type { NativeMemory } from './native.js';

/** The address, for one grant. @throws VkmemError if the driver fails. */
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
