/**
 * The room that the host leaves for memory of the device: on which heaps memory is the host's, and how many bytes
 * of it may still be made (limits/host-memory.ts).
 *
 * The limits are read from files, so what was read is used again for FRESH_MS. Bytes that were made since count as
 * used, and bytes of requests under way too: until all of them are written, some count twice.
 */
import { humanBytes, VkmemError } from '@vkmemd/proto';
import type { HostLimit } from '../../limits/host-memory.js';
import type { Ledger } from './ledger.js';

const FRESH_MS = 50;
/** VkMemoryHeapFlagBits. */
const DEVICE_LOCAL = 0x1;

/** The limits of this process. */
export interface HostLimits {
  left(): HostLimit;
  readonly largestFile: bigint | undefined;
}

/** The parts of a device's description that matter here. */
interface Described {
  readonly type: string;
  readonly heaps: readonly { readonly flags: number }[];
}

export class HostRoom {
  readonly #limits: HostLimits;
  readonly #ledger: Ledger;
  /** The heaps whose memory is the host's. */
  readonly #heaps: ReadonlySet<number>;
  #read: (HostLimit & { readonly at: number; readonly held: bigint }) | undefined;

  constructor(limits: HostLimits, ledger: Ledger, { type, heaps }: Described) {
    this.#limits = limits;
    this.#ledger = ledger;
    const shared = type === 'cpu' || type === 'integrated';
    const own = [...heaps.entries()].filter(([, { flags }]) => shared || (flags & DEVICE_LOCAL) === 0);
    this.#heaps = new Set(own.map(([index]) => index));
  }

  /** What may still be made on a heap; undefined if its memory is the device's own. */
  of(heap: number): HostLimit | undefined {
    return this.#heaps.has(heap) ? this.#left(FRESH_MS) : undefined;
  }

  /**
   * Checks that memory can be made.
   * @throws VkmemError DEVICE_OUT_OF_MEMORY, which names the limit.
   */
  require(bytes: bigint, heap: number): void {
    if (!this.#heaps.has(heap)) return;
    if (bytes > this.#left(FRESH_MS).bytes) {
      const { bytes: left, limit } = this.#left(0);
      if (bytes > left) throw beyond(bytes, left, limit);
    }
    const { largestFile } = this.#limits;
    if (largestFile !== undefined && bytes > largestFile) throw beyond(bytes, largestFile, 'RLIMIT_FSIZE');
  }

  #left(maxAgeMs: number): HostLimit {
    const now = performance.now();
    if (!this.#read || now - this.#read.at >= maxAgeMs) {
      this.#read = { ...this.#limits.left(), at: now, held: this.#sum('live') + this.#sum('draining') };
    }
    const { bytes, limit, held } = this.#read;
    const grown = this.#sum('live') + this.#sum('draining') - held;
    const left = bytes - (grown > 0n ? grown : 0n) - this.#sum('pending');
    return { bytes: left > 0n ? left : 0n, limit };
  }

  #sum(state: 'live' | 'draining' | 'pending'): bigint {
    let sum = 0n;
    for (const heap of this.#heaps) sum += this.#ledger.heap(heap)[state];
    return sum;
  }
}

function beyond(bytes: bigint, left: bigint, limit: string): VkmemError {
  const reason = `${humanBytes(bytes)} were requested; ${limit} leaves ${humanBytes(left)}.`;
  const metadata = { requested_bytes: String(bytes), available_bytes: String(left), limit };
  const next =
    'Free memory, ask for less, or raise that limit (MemoryMax= of the unit, the memory limit of the container).';
  return new VkmemError('DEVICE_OUT_OF_MEMORY', reason, metadata, undefined, next);
}
