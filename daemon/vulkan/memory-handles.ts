/**
 * The fds that keep the bytes of one memory alive beside its VkDeviceMemory.
 */
import type { OwnedFd } from '@vkmemd/proto';

/** The device and driver that memory belongs to (VkPhysicalDeviceIDProperties); 16 bytes each. */
export interface MadeBy {
  readonly deviceUuid: Uint8Array;
  readonly driverUuid: Uint8Array;
}

export interface MemoryHandles {
  /** The memfd of MAPPABLE memory, or the memfd that a client sent. */
  readonly memfd?: OwnedFd;
  /**
   * The fds of memory that was imported from fds, by handle type. Grants are duplicates of them, because
   * imported memory cannot be exported.
   */
  readonly adopted?: ReadonlyMap<number, OwnedFd>;
  /** Whether a client imported it: it is never MAPPABLE, and the daemon does not account for its bytes. */
  readonly imported?: boolean;
  /** Whether this device must never import it, such as memory of another driver. */
  readonly refused?: boolean;
  /** The device and driver that it belongs to, if these are not the current ones. */
  readonly madeBy?: MadeBy | undefined;
}

/** The fds that keep an allocation's bytes when its daemon has ended, by handle type; 0 is a memfd. */
export type PersistentHandles = ReadonlyMap<number, OwnedFd>;

/** All fds, borrowed. */
export function allHandles({ memfd, adopted }: MemoryHandles): PersistentHandles {
  return new Map<number, OwnedFd>(memfd ? [[0, memfd]] : adopted);
}

/**
 * The open fds that came from a client or an earlier daemon, which other processes may hold too; borrowed.
 */
export function foreignHandles({ memfd, adopted, imported }: MemoryHandles): OwnedFd[] {
  const all = [...(adopted?.values() ?? []), ...(memfd && imported ? [memfd] : [])];
  return all.filter(({ open }) => open);
}

/** Duplicates of all fds; the caller owns them. @throws KernelError EMFILE. */
export function duplicateHandles(handles: MemoryHandles): PersistentHandles {
  return new Map([...allHandles(handles)].map(([type, fd]) => [type, fd.dup('persisted')]));
}
