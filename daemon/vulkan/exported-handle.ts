/**
 * What exporting a memory yields: one fd and what is to be known of it.
 *
 * The fd is the receiver's: the daemon keeps no copy. It is close-on-exec, and keeps the memory's bytes alive
 * until every copy of it, and every mapping or import made from it, is gone.
 */
import type { KindName, OwnedFd } from '@vkmemd/proto';

export interface ExportedHandle {
  readonly kind: KindName;
  readonly fd: OwnedFd;
  /** Where the memory begins in the file, in bytes; for mmap. */
  readonly mapOffset: bigint;
  /** How many bytes can be mapped; 0 if none. */
  readonly mapSize: bigint;
  /** The file's size in bytes as fstat tells it; 0 where it means nothing. */
  readonly fileSize: bigint;
  /** VkExternalMemoryHandleTypeFlagBits that an importer passes on; 0 when the fd is no Vulkan handle. */
  readonly handleType: number;
  /** Whether the receiver may mmap it. */
  readonly mappable: boolean;
}
