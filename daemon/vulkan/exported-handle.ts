/**
 * What exporting a memory yields: one fd or one address, and what its receiver needs to know of it.
 *
 * The receiver owns the fd, and the daemon keeps no copy. The fd is close-on-exec, and keeps the memory's
 * bytes alive until every copy of it, and every mapping or import made from it, is gone. An address owns
 * nothing.
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
  /** Where the memory begins in the file, in bytes; for mmap. */
  readonly mapOffset: bigint;
  /** How many bytes can be mapped; 0 if none. */
  readonly mapSize: bigint;
  /** The file's size in bytes as fstat reports it; 0 where it means nothing. */
  readonly fileSize: bigint;
  /** VkExternalMemoryHandleTypeFlagBits that an importer passes on; 0 when the fd is not a Vulkan handle. */
  readonly handleType: number;
  /** Whether a mapping's accesses must be bracketed with DMA_BUF_IOCTL_SYNC. */
  readonly dmaBufSync: boolean;
}

/** The handle type that a kind is exported as, where the memory is not a memfd. */
export const TYPE_OF_KIND: Readonly<Record<KindName, number>> = {
  MAPPABLE: HandleType.DMA_BUF,
  OPAQUE_FD: HandleType.OPAQUE_FD,
  DMA_BUF: HandleType.DMA_BUF,
  RDMA_ADDRESS: HandleType.RDMA_ADDRESS,
};

/** A handle that is an fd of the driver's and cannot be mapped. @param fd Taken. */
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
 * A newly exported fd for one grant of the kind; the caller owns it.
 * @throws VkmemError as the driver fails.
 */
export async function exportFd(kind: KindName, memory: NativeMemory): Promise<OwnedFd> {
  return new OwnedFd(await native(memory.exportFd(TYPE_OF_KIND[kind])), `grant:${kind}`);
}

/**
 * Some drivers export a regular file (lavapipe, with a header), others a device node, whose size means
 * nothing.
 */
function fileSize(fd: OwnedFd): bigint {
  const stat = fstatSync(fd.fd, { bigint: true });
  return stat.isFile() ? stat.size : 0n;
}
