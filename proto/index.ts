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
export * from './contract/codec.js';
export * from './contract/errors.js';
export * from './contract/ivshmem.js';
export * from './contract/names.js';
export * from './contract/requests.js';
export * from './contract/runtime-dir.js';
export * from './contract/status.js';
export * from './kernel/datagram.js';
export * from './kernel/datagram-queue.js';
export * from './kernel/disposable-stack.js';
export * from './kernel/dma-buf.js';
export * from './kernel/eventfd.js';
export {
  closeAll,
  fileStatus,
  OwnedFd,
  pendingCloses,
  setMostPendingCloses,
  tooManyPendingCloses,
} from './kernel/fd.js';
export * from './kernel/fd-stream.js';
export * from './kernel/huge-pages.js';
export * from './kernel/inherited.js';
export * from './kernel/keeping.js';
export * from './kernel/mapping.js';
export * from './kernel/memfd.js';
export { type FileStatus, isKernelError, type KernelError, lockFile } from './kernel/native.js';
export * from './kernel/peer.js';
export * from './kernel/poll.js';
export * from './kernel/program.js';
export * from './kernel/socket.js';
