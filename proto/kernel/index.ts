/**
 * @vkmemd/proto/kernel: the kernel's part alone, for a program that speaks none of the contract and is to stay small.
 * The codec, which takes most of the time and memory that loading the contract takes, is not loaded.
 */

export * from '../contract/errors.js';
export * from '../contract/runtime-dir.js';
export * from './datagram.js';
export * from './datagram-queue.js';
export { closeAll, fileStatus, OwnedFd } from './fd.js';
export * from './keeping.js';
export { isKernelError, type KernelError, lockFile } from './native.js';
export { MAX_SOCKET_PATH_BYTES } from './socket.js';
