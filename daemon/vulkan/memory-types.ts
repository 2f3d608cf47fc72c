/**
 * Choosing a memory type for a set of kinds.
 *
 * Two filters come before taste: what the driver would import a memfd as (`hostTypeBits`), and what a transfer
 * buffer of the same external handle types can be bound to (`bufferRequirements`). Then:
 * - MAPPABLE must be host-visible and coherent, so that a client needs no flush; cached types read far faster.
 * - OPAQUE_FD alone prefers memory of the device that the host does not see, then any of the device.
 * Protected and lazily allocated types are never chosen: neither can be filled and copied.
 */
import { type KindName, VkmemError } from '@vkmemd/proto';
import { HandleType, has, MemoryFlag } from './flags.js';
import type { MemoryTypeInfo } from './native.js';

/** How the CPU caches a type: NONE is memory that the host does not see. */
export type CacheType = 'NONE' | 'CACHED' | 'UNCACHED' | 'WC';

/** What the driver asks of memory: allowed memory types as bit sets, 0 where the kind does not work. */
export interface MemoryNeeds {
  readonly mappable: number;
  readonly opaqueFd: number;
  /** For memory that is both. */
  readonly together: number;
  /** Sizes must be a multiple of so many bytes: a power of two, at least a page. */
  readonly unit: bigint;
}

/** What an allocation for a set of kinds is made of. */
export interface MemoryPlan {
  readonly kinds: readonly KindName[];
  readonly memoryTypeIndex: number;
  readonly heapIndex: number;
  /** VkMemoryPropertyFlagBits of the type. */
  readonly propertyFlags: number;
  readonly cacheType: CacheType;
  /** VkExternalMemoryHandleTypeFlags that the memory is made exportable as; 0 for MAPPABLE alone. */
  readonly handleTypes: number;
}

/** How the CPU sees memory with these VkMemoryPropertyFlagBits. */
export function cacheTypeOf(flags: number): CacheType {
  if (!has(flags, MemoryFlag.HOST_VISIBLE)) return 'NONE';
  if (has(flags, MemoryFlag.HOST_CACHED)) return 'CACHED';
  return has(flags, MemoryFlag.HOST_COHERENT) ? 'WC' : 'UNCACHED';
}

/** Higher is better; undefined for a type that cannot serve. */
type Taste = (flags: number) => number | undefined;

const forMapping: Taste = (flags) => {
  if (!has(flags, MemoryFlag.HOST_VISIBLE | MemoryFlag.HOST_COHERENT)) return undefined;
  return has(flags, MemoryFlag.HOST_CACHED) ? 1 : 0;
};

const forDevice: Taste = (flags) => {
  if (!has(flags, MemoryFlag.DEVICE_LOCAL)) return 0;
  return has(flags, MemoryFlag.HOST_VISIBLE) ? 1 : 2;
};

/** Cached before uncached: for memory that this process reads through vkMapMemory. */
export const forReading: Taste = forMapping;

/** The best type among `bits`, or -1. Equals go to the first, as the specification orders types by preference. */
export function chooseType(types: readonly MemoryTypeInfo[], bits: number, taste: Taste): number {
  let best = -1;
  let bestScore = -1;
  types.forEach(({ flags }, index) => {
    if ((bits & (1 << index)) === 0) return;
    if ((flags & (MemoryFlag.PROTECTED | MemoryFlag.LAZILY_ALLOCATED)) !== 0) return;
    const score = taste(flags);
    if (score !== undefined && score > bestScore) {
      best = index;
      bestScore = score;
    }
  });
  return best;
}

/**
 * The plan for memory of these kinds, which `requireKinds` has let through.
 * @throws VkmemError KIND_UNSUPPORTED when no memory type serves them.
 */
export function planMemory(
  kinds: readonly KindName[],
  types: readonly MemoryTypeInfo[],
  needs: MemoryNeeds,
): MemoryPlan {
  const mappable = kinds.includes('MAPPABLE');
  const opaque = kinds.includes('OPAQUE_FD');
  const allowed = mappable ? (opaque ? needs.together : needs.mappable) : needs.opaqueFd;
  const index = chooseType(types, allowed, mappable ? forMapping : forDevice);
  const type = types[index];
  if (type === undefined) {
    throw new VkmemError('KIND_UNSUPPORTED', `No memory type of the device serves ${kinds.join(' with ')}.`);
  }
  return {
    kinds: [...new Set(kinds)],
    memoryTypeIndex: index,
    heapIndex: type.heapIndex,
    propertyFlags: type.flags,
    cacheType: cacheTypeOf(type.flags),
    handleTypes: opaque ? HandleType.OPAQUE_FD : 0,
  };
}
