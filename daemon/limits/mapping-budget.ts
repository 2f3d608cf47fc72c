/**
 * The budget of memory mappings: what remains of vm.max_map_count once the daemon has started. Each allocation
 * leases one, since its pages are mapped into this process: a memfd by the daemon, other memory by the driver.
 *
 * Without this budget the kernel would refuse a mapping at the limit, to whatever asked for it. The C library
 * and V8 need mappings too, and end the process where they get none: the reserve is for them.
 *
 * Limits: the mappings are counted once, at the start, and the kernel's limit is read then. A driver that maps
 * an allocation more than once takes the others from the reserve.
 */
import { readFileSync } from 'node:fs';
import { VkmemError } from '@vkmemd/proto';
import { type Sharer, Shares } from './shares.js';

/** The kernel's default of vm.max_map_count, for where /proc cannot be read. */
const DEFAULT_MAX = 65_530;
/** What is never leased: this many, but at most this share of the maximum. */
const RESERVED = 4096;
const MAX_RESERVED = 1 / 4;
/** The number of mappings that every tenant can have at least. */
const FEW = 4;

/** The mappings of this process, as the kernel reports them. */
export interface OpenMappings {
  /** vm.max_map_count. */
  readonly max: number;
  readonly open: number;
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // There is no /proc, or it is hidden.
  }
}

export function openMappings(): OpenMappings {
  const max = Number(readProc('/proc/sys/vm/max_map_count') ?? DEFAULT_MAX);
  const lines = readProc('/proc/self/maps')?.split('\n') ?? [];
  return { max, open: lines.length };
}

export class MappingBudget {
  readonly #shares: Shares;

  constructor({ max, open }: OpenMappings) {
    const reserve = Math.min(RESERVED, Math.floor(max * MAX_RESERVED));
    this.#shares = new Shares(() => max - open - reserve, FEW);
  }

  /** How many can be leased in all. */
  get capacity(): number {
    return this.#shares.capacity;
  }

  /** How many are leased. */
  get leased(): number {
    return this.#shares.total;
  }

  /** Leases one to a tenant, until the lease is disposed. @throws VkmemError TOO_MANY_ALLOCATIONS. */
  lease(tenant: Sharer): Disposable {
    const lease = this.#shares.take(tenant, 1);
    if (typeof lease !== 'string') return lease;
    throw tooManyMappings(lease === 'user' ? this.#shares.maxOf(tenant) : this.capacity, lease);
  }

  /** Counts one of an allocation that survived a restart of the daemon, even above every limit. */
  count(tenant: Sharer): Disposable {
    return this.#shares.count(tenant, 1);
  }
}

function tooManyMappings(limit: number, whose: 'daemon' | 'user'): VkmemError {
  const reason =
    whose === 'user'
      ? `The tenant has reached its fair-share limit of allocations (${limit}), of which each needs a mapping.`
      : `The kernel's vm.max_map_count leaves mappings for ${limit} allocations, and all are used.`;
  const next =
    'Free allocations, use fewer and larger ones, or have the sysctl vm.max_map_count raised and vkmemd restarted.';
  return new VkmemError('TOO_MANY_ALLOCATIONS', reason, { limit: String(limit), whose }, undefined, next);
}
