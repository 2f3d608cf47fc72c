/**
 * Chooses a memory type.
 *
 * Types are filtered by what the driver allows (bit sets of types), by the requirements of the kinds, and by
 * the flags that the request requires and forbids. Of the remaining types, the one with most of the preferred
 * flags is chosen; among these one that the daemon's own transfers can use; among these the kinds decide:
 * - MAPPABLE requires a host-visible and coherent type, so that a client needs no flush. A cached type is
 *   preferred, because reads are much faster.
 * - RDMA_ADDRESS requires an RDMA-capable type. No other kind gets such a type unless it is requested.
 * - All others prefer device-local memory that is not host-visible, then any device-local memory.
 * Protected and lazily allocated types, and AMD's coherent and uncached ones (which require a feature that is
 * not enabled), are never chosen. Of equal types the first is chosen, because the specification orders types
 * by preference.
 */
import { type KindName, VkmemError } from '@vkmemd/proto';
import { has, MemoryFlag } from './flags.js';
import type { MemoryTypeInfo } from './native.js';

/** How the CPU caches a type; NONE is memory that is not host-visible. */
export type CacheType = 'NONE' | 'CACHED' | 'UNCACHED' | 'WC';

/** How the CPU caches memory with these VkMemoryPropertyFlagBits. */
export function cacheTypeOf(flags: number): CacheType {
  if (!has(flags, MemoryFlag.HOST_VISIBLE)) return 'NONE';
  if (has(flags, MemoryFlag.HOST_CACHED)) return 'CACHED';
  return has(flags, MemoryFlag.HOST_COHERENT) ? 'WC' : 'UNCACHED';
}

/** The request's wishes for the memory type. Flags are VkMemoryPropertyFlagBits; absent means none. */
export interface TypeWishes {
  readonly required?: number | undefined;
  readonly preferred?: number | undefined;
  readonly forbidden?: number | undefined;
  /** This type and no other. */
  readonly memoryTypeIndex?: number | undefined;
}

/** The criteria for a type. */
export interface TypeChoice extends TypeWishes {
  readonly kinds: readonly KindName[];
  readonly types: readonly MemoryTypeInfo[];
  /** The types that the driver allows, as bits, and the reason to report for all others. */
  readonly allowed: number;
  readonly allowedBy: string;
  /** The types that the daemon's transfer buffers can be bound to, as bits. */
  readonly transferable: number;
}

const MAPPED = MemoryFlag.HOST_VISIBLE | MemoryFlag.HOST_COHERENT;
const NEVER =
  MemoryFlag.PROTECTED |
  MemoryFlag.LAZILY_ALLOCATED |
  MemoryFlag.DEVICE_COHERENT_AMD |
  MemoryFlag.DEVICE_UNCACHED_AMD;

/** Every memory type, as bits. */
export const ANY_TYPE = 0xffffffff;

const bit = (bits: number, index: number): boolean => ((bits >>> index) & 1) === 1;

function popcount(bits: number): number {
  let count = 0;
  for (let left = bits >>> 0; left !== 0; left &= left - 1) count += 1;
  return count;
}

/** The preference of the kinds; higher is better. */
function preference(kinds: readonly KindName[], flags: number): number {
  if (kinds.includes('MAPPABLE')) return has(flags, MemoryFlag.HOST_CACHED) ? 1 : 0;
  if (!has(flags, MemoryFlag.DEVICE_LOCAL)) return 0;
  return has(flags, MemoryFlag.HOST_VISIBLE) ? 1 : 2;
}

/** The reason why a type is not suitable, or undefined. */
function refuse(index: number, flags: number, choice: TypeChoice): string | undefined {
  const { kinds, required = 0, forbidden = 0, memoryTypeIndex, allowed, allowedBy } = choice;
  if (memoryTypeIndex !== undefined && memoryTypeIndex !== index) return 'another type was requested';
  if ((flags & NEVER) !== 0) return 'it is protected, lazily allocated, or AMD device-coherent';
  if (kinds.includes('MAPPABLE') && !has(flags, MAPPED)) return 'it is not host-visible and coherent';
  if (kinds.includes('RDMA_ADDRESS') && !has(flags, MemoryFlag.RDMA_CAPABLE)) return 'it is not RDMA-capable';
  if (!has(flags, required)) return `it lacks flags ${hex(required & ~flags)}`;
  if ((flags & forbidden) !== 0) return `it has flags ${hex(flags & forbidden)}`;
  return bit(allowed, index) ? undefined : allowedBy;
}

/** Whether the type is RDMA-capable, and the request did not ask for such a type. */
function isUnrequestedRdma(
  flags: number,
  { kinds, required = 0, preferred = 0, memoryTypeIndex }: TypeChoice,
): boolean {
  const requested = kinds.includes('RDMA_ADDRESS') || memoryTypeIndex !== undefined;
  return (
    !requested && has(flags, MemoryFlag.RDMA_CAPABLE) && !has(required | preferred, MemoryFlag.RDMA_CAPABLE)
  );
}

const hex = (flags: number): string => `0x${(flags >>> 0).toString(16)}`;

/**
 * The index of the best type.
 * @throws VkmemError NOT_MAPPABLE if MAPPABLE is requested and no type is suitable, NO_MEMORY_TYPE for other
 *   kinds; the reason explains for each type why it is not suitable. INVALID_ARGUMENT for an index that the
 *   device does not have.
 */
export function chooseType(choice: TypeChoice): number {
  const { types, preferred = 0, transferable, memoryTypeIndex, kinds } = choice;
  if (memoryTypeIndex !== undefined && memoryTypeIndex >= types.length) {
    throw new VkmemError(
      'INVALID_ARGUMENT',
      `memory_type_index is ${memoryTypeIndex}; the device has the types 0 to ${types.length - 1}.`,
      { field: 'memory_type_index' },
    );
  }
  let best = -1;
  let bestScore = -1;
  const reasons: string[] = [];
  types.forEach(({ flags }, index) => {
    const refusal =
      refuse(index, flags, choice) ??
      (isUnrequestedRdma(flags, choice) ? 'it is RDMA-capable, which was not requested' : undefined);
    if (refusal !== undefined) {
      if (memoryTypeIndex === undefined || memoryTypeIndex === index) reasons.push(`${index}: ${refusal}`);
      return;
    }
    const score =
      popcount(flags & preferred) * 8 + (bit(transferable, index) ? 4 : 0) + preference(kinds, flags);
    if (score > bestScore) {
      best = index;
      bestScore = score;
    }
  });
  if (best >= 0) return best;
  const code = kinds.includes('MAPPABLE') ? 'NOT_MAPPABLE' : 'NO_MEMORY_TYPE';
  throw new VkmemError(
    code,
    `No memory type is suitable for ${kinds.join(' with ')}: ${reasons.join('; ')}.`,
  );
}
