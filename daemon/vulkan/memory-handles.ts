/**
 * What there is of one memory beside its VkDeviceMemory: the fds that keep its bytes, and who is told what becomes of it.
 */
import type { OwnedFd } from '@vkmemd/proto';

/** Which device and driver memory is of (VkPhysicalDeviceIDProperties); 16 bytes each. */
export interface MadeBy {
  readonly deviceUuid: Uint8Array;
  readonly driverUuid: Uint8Array;
}

/** What keeps the bytes, beside the VkDeviceMemory. */
export interface MemoryHandles {
  /** Of MAPPABLE memory, and of a client's memfd. */
  readonly memfd?: OwnedFd;
  /** Of memory that was imported by an fd: grants are duplicates, since an import cannot be exported. By handle type. */
  readonly adopted?: ReadonlyMap<number, OwnedFd>;
  /** Whether a client brought it: it is never MAPPABLE, and its bytes are not the daemon's to account for. */
  readonly imported?: boolean;
  /** Whether this device is never to be asked to take it, such as what another driver made. */
  readonly refused?: boolean;
  /** Of another device or driver than there is now: that one. */
  readonly madeBy?: MadeBy | undefined;
}

/** What keeps the bytes of an allocation when its daemon is gone, by handle type; 0 is a memfd. */
export type KeptHandles = ReadonlyMap<number, OwnedFd>;

/** All of them that there are, by handle type. */
export function keptOf({ memfd, adopted }: MemoryHandles): KeptHandles {
  return new Map<number, OwnedFd>(memfd ? [[0, memfd]] : adopted);
}

/** Those that are open and came from outside, where whoever sent them may have them too. */
export function foreignOf({ memfd, adopted, imported }: MemoryHandles): OwnedFd[] {
  const all = [...(adopted?.values() ?? []), ...(memfd && imported ? [memfd] : [])];
  return all.filter(({ open }) => open);
}

/** Duplicates of them all, the caller's. */
export function duplicatesOf(handles: MemoryHandles): KeptHandles {
  return new Map([...keptOf(handles)].map(([type, fd]) => [type, fd.dup('kept')]));
}

/** Whoever made it, and is told what becomes of it. */
export interface MemoryOwner {
  /** The device has the bytes back; once. */
  freed(): void;
  /** The driver said that the device is lost. */
  lost(): void;
}
