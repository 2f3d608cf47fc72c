/**
 * The package entry `@vkmemd/proto/kernel`: system calls only, for a program that sends no messages of the
 * contract and must stay small. It does not load the codec, which takes most of the time and memory of
 * loading the contract.
 *
 * @module @vkmemd/proto/kernel
 */

export * from '../contract/errors.js';
export * from '../contract/runtime-dir.js';
export * from '../contract/system-fault.js';
export { type Addon, type BuiltFile, builtFile, loadAddon } from './addon.js';
export * from './confine.js';
export * from './datagram.js';
export * from './datagram-queue.js';
export * from './disposable-stack.js';
export { closeAll, fileStatus, lockFile, lockFolder, OwnedFd, sameFile } from './fd.js';
export * from './fd-store.js';
export * from './launcher.js';
export { isKernelError, type KernelError } from './native.js';
export * from './parent.js';
export * from './proc.js';
export * from './process-access.js';
export { becomeProgram, type Program } from './program.js';
export { MAX_SOCKET_PATH_BYTES, openSeqpacket } from './socket.js';
export * from './tcp.js';
