/**
 * @vkmemd/proto: what the daemon and its clients share.
 *
 * errors     the catalogue and the one error class
 * codec      vkmem.v1 messages to bytes and back; gRPC service definitions
 * status     faults as google.rpc.Status
 * contract   constants, names of kinds, lifetimes and access
 * runtime-dir  where the sockets are
 * ivshmem    the words of QEMU's ivshmem protocol
 * fd, fd-stream, inherited, socket, datagram, datagram-queue, keeping, peer, memfd, huge-pages, mapping, dma-buf, eventfd, program, native
 *            the kernel's part, by the addon
 */
export * from './codec.js';
export * from './contract.js';
export * from './datagram.js';
export * from './datagram-queue.js';
export * from './dma-buf.js';
export * from './errors.js';
export * from './eventfd.js';
export {
  closeAll,
  fileStatus,
  OwnedFd,
  pendingCloses,
  setMostPendingCloses,
  tooManyPendingCloses,
} from './fd.js';
export * from './fd-stream.js';
export * from './huge-pages.js';
export * from './inherited.js';
export * from './ivshmem.js';
export * from './keeping.js';
export * from './mapping.js';
export * from './memfd.js';
export { type FileStatus, isKernelError, type KernelError, lockFile } from './native.js';
export * from './peer.js';
export * from './program.js';
export * from './runtime-dir.js';
export * from './socket.js';
export * from './status.js';
