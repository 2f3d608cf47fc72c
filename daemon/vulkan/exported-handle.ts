/**
 * What exporting a memory yields: one fd, or an address, and what is to be known of it.
 *
 * The fd is the receiver's: the daemon keeps no copy. It is close-on-exec, and keeps the memory's bytes alive
 * until every copy of it, and every mapping or import made from it, is gone. An address owns nothing.
 */
import { fstatSync } from 'node:fs';
import { closeAll, type KindName, OwnedFd } from '@vkmemd/proto';
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
  /** The file's size in bytes as fstat tells it; 0 where it means nothing. */
  readonly fileSize: bigint;
  /** VkExternalMemoryHandleTypeFlagBits that an importer passes on; 0 when the fd is no Vulkan handle. */
  readonly handleType: number;
  /** Whether a mapping's accesses must be bracketed with DMA_BUF_IOCTL_SYNC. */
  readonly dmaBufSync: boolean;
}

/** The handle type that a kind travels as, where the memory is no memfd. */
export const TYPE_OF_KIND: Readonly<Record<KindName, number>> = {
  MAPPABLE: HandleType.DMA_BUF,
  OPAQUE_FD: HandleType.OPAQUE_FD,
  DMA_BUF: HandleType.DMA_BUF,
  RDMA_ADDRESS: HandleType.RDMA_ADDRESS,
};

/** A handle of a kind that is an fd at hand. Takes the fd. @param size of the memory, in bytes. */
export function handleOf(kind: KindName, fd: OwnedFd, size: bigint): ExportedHandle {
  if (kind !== 'MAPPABLE') return driverHandle(kind, fd, TYPE_OF_KIND[kind]);
  return { ...driverHandle(kind, fd, 0), mapSize: size, fileSize: size, dmaBufSync: true };
}

/** A handle of a kind, as the driver gives it: nothing of it can be mapped. */
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

/** An fd for one grant, of its handle type, exported anew. The receiver owns it. @throws VkmemError as the driver fails. */
export async function exportFd(kind: KindName, memory: NativeMemory): Promise<OwnedFd> {
  return new OwnedFd(await native(memory.exportFd(TYPE_OF_KIND[kind])), `grant:${kind}`);
}

/**
 * One fd of each handle type that the kinds travel as; the caller's.
 * @throws VkmemError as the driver fails, with none left open.
 */
export async function exportEach(
  kinds: readonly KindName[],
  memory: NativeMemory,
): Promise<Map<number, OwnedFd>> {
  const made = new Map<number, OwnedFd>();
  try {
    for (const kind of kinds) {
      const type = TYPE_OF_KIND[kind];
      if (kind !== 'RDMA_ADDRESS' && !made.has(type)) made.set(type, await exportFd(kind, memory));
    }
  } catch (failure) {
    closeAll(made.values());
    throw failure;
  }
  return made;
}

/** Some drivers give a file (lavapipe: header and all), others a device node, whose size says nothing. */
function fileSize(fd: OwnedFd): bigint {
  const stat = fstatSync(fd.fd, { bigint: true });
  return stat.isFile() ? stat.size : 0n;
}
