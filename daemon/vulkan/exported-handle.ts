/**
 * What exporting a memory yields: one fd, or an address, and what is to be known of it.
 *
 * The fd is the receiver's: the daemon keeps no copy. It is close-on-exec, and keeps the memory's bytes alive
 * until every copy of it, and every mapping or import made from it, is gone. An address owns nothing.
 */
import { fstatSync } from 'node:fs';
import { type KindName, OwnedFd } from '@vkmemd/proto';
import { native } from './errors.js';
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

/**
 * An fd for one grant, which the receiver owns: a duplicate of the one that was adopted, or exported anew.
 * @throws VkmemError as the driver fails.
 */
export async function exportFd(
  memory: NativeMemory,
  handleType: number,
  adopted: OwnedFd | undefined,
  purpose: string,
): Promise<OwnedFd> {
  return adopted?.dup(purpose) ?? new OwnedFd(await native(memory.exportFd(handleType)), purpose);
}

/** Some drivers give a file (lavapipe: header and all), others a device node, whose size says nothing. */
function fileSize(fd: OwnedFd): bigint {
  const stat = fstatSync(fd.fd, { bigint: true });
  return stat.isFile() ? stat.size : 0n;
}
