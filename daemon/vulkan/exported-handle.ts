/**
 * The result of an export: one fd or one address, and the properties that its receiver needs.
 *
 * The receiver owns the fd; the daemon keeps no copy. The fd is close-on-exec. It keeps the memory's bytes
 * allocated until every copy of it is closed, and every mapping and import of it is gone. An address does not
 * keep the memory allocated.
 */
import { fstatSync } from 'node:fs';
import { type KindName, OwnedFd } from '@vkmemd/proto';
import { native } from './errors.js';
import { HandleType } from './flags.js';
import type { NativeMemory } from './native.js';

export interface ExportedHandle {
  readonly kind: KindName;
  /** Undefined for RDMA_ADDRESS. */
  readonly fd: OwnedFd | undefined;
  /** VkRemoteAddressNV; 0 for all other kinds. */
  readonly remoteAddress: bigint;
  /** The offset of the memory in the file, in bytes, for mmap. */
  readonly mapOffset: bigint;
  /** The number of bytes that can be mapped; 0 if the fd cannot be mapped. */
  readonly mapSize: bigint;
  /** The file's size in bytes as reported by fstat; 0 if the size has no meaning. */
  readonly fileSize: bigint;
  /** The VkExternalMemoryHandleTypeFlagBits for an importer; 0 if the fd is not a Vulkan handle. */
  readonly handleType: number;
  /** Whether accesses through a mapping must be bracketed with DMA_BUF_IOCTL_SYNC. */
  readonly dmaBufSync: boolean;
}

/** The handle type that a kind is exported as, if the memory is not a memfd. */
export const TYPE_OF_KIND: Readonly<Record<KindName, number>> = {
  MAPPABLE: HandleType.DMA_BUF,
  OPAQUE_FD: HandleType.OPAQUE_FD,
  DMA_BUF: HandleType.DMA_BUF,
  RDMA_ADDRESS: HandleType.RDMA_ADDRESS,
};

/** A handle that is an fd of the driver and cannot be mapped. @param fd Taken. */
export function driverHandle(kind: KindName, fd: OwnedFd, handleType: number): ExportedHandle {
  return {
    kind,
    fd,
    remoteAddress: 0n,
    mapOffset: 0n,
    mapSize: 0n,
    fileSize: fileSize(fd),
    handleType,
    dmaBufSync: false,
  };
}

/**
 * Exports an fd for one grant of the kind, or takes one that was exported when the memory was allocated; the caller owns
 * it.
 * @throws VkmemError if the driver fails.
 */
export async function exportFd(kind: KindName, memory: NativeMemory): Promise<OwnedFd> {
  const ahead = TYPE_OF_KIND[kind] === HandleType.OPAQUE_FD ? memory.takeExported() : undefined;
  if (ahead !== undefined) return new OwnedFd(ahead, `grant:${kind}`);
  return new OwnedFd(await native(memory.exportFd(TYPE_OF_KIND[kind])), `grant:${kind}`);
}

/**
 * Some drivers export a regular file (lavapipe, with a header), others a device node, whose size has no
 * meaning.
 */
function fileSize(fd: OwnedFd): bigint {
  const stat = fstatSync(fd.fd, { bigint: true });
  return stat.isFile() ? stat.size : 0n;
}
