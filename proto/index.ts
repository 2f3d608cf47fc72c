/**
 * The package `@vkmemd/proto`: the contract between the daemon and its clients, and the system calls that
 * both use.
 *
 * - contract/: constants and names, the table of requests, the codec of vkmem.v1 messages, the error
 *   catalogue and its form on the wire, the paths of the sockets, QEMU's ivshmem protocol.
 * - kernel/: system calls, by a native addon: file descriptors, sockets, memfds, mappings, peers, programs;
 *   clean-up with Disposables, and polling.
 *
 * @module @vkmemd/proto
 */

export {
  type Bounds,
  costOf,
  type Decoded,
  type Draft,
  decode,
  type Encodable,
  encode,
  loadSchemas,
  type MessageName,
  timestamp,
  type WithBigint,
} from './contract/codec.js';
export { readDescriptorFiles } from './contract/descriptor-set.js';
export * from './contract/device-description.js';
export * from './contract/errors.js';
export * from './contract/ivshmem.js';
export * from './contract/names.js';
export * from './contract/requests.js';
export * from './contract/runtime-dir.js';
export * from './contract/services.js';
export * from './contract/size.js';
export * from './contract/size-bound.js';
export * from './contract/status.js';
export * from './contract/system-fault.js';
export * from './kernel/child.js';
export * from './kernel/confine.js';
export { connectError } from './kernel/connect-fault.js';
export * from './kernel/datagram.js';
export * from './kernel/datagram-queue.js';
export * from './kernel/disposable-stack.js';
export * from './kernel/dma-buf.js';
export * from './kernel/eventfd.js';
export {
  closeAll,
  fileStatus,
  lockFile,
  OwnedFd,
  pendingCloses,
  sameFile,
  setMaxPendingCloses,
  tooManyPendingCloses,
} from './kernel/fd.js';
export * from './kernel/fd-store.js';
export * from './kernel/fd-stream.js';
export * from './kernel/huge-pages.js';
export * from './kernel/inherited.js';
export * from './kernel/launcher.js';
export * from './kernel/mapping.js';
export * from './kernel/memfd.js';
export { type FileStatus, isKernelError, type KernelError } from './kernel/native.js';
export * from './kernel/parent.js';
export * from './kernel/peer.js';
export * from './kernel/peer-support.js';
export * from './kernel/poll.js';
export * from './kernel/proc.js';
export * from './kernel/process-access.js';
export * from './kernel/program.js';
export * from './kernel/socket.js';
export { socketShut } from './kernel/socket-group.js';
export * from './kernel/tcp.js';
