/**
 * RDMA_ADDRESS: an address that a peer device reads and writes (VK_NV_external_memory_rdma).
 *
 * It needs the extension, its feature enabled on the device, a memory type with RDMA_CAPABLE, and a driver
 * that lets buffers of the handle type be exported; a refusal names the first of these that is missing. The
 * memory is allocated exportable as the handle type and zeroed through a buffer that declares it; only then
 * is the address read. It is a 64-bit number, owns nothing, is valid as long as the memory, and a peer's
 * driver resolves it in this process.
 */
import { native } from './errors.js';
import type { ExportedHandle } from './exported-handle.js';
import { HandleType } from './flags.js';
import type { NativeMemory } from './native.js';

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
