/**
 * Sizes in a policy: bytes, "64MiB", "50%" of a heap, "share" or "unlimited". One term applies to every heap;
 * a table has a term for each heap.
 * The syntax of bytes and percentages is that of vkmemctl (proto/contract/size.ts).
 */
import { bytesIn, percentIn } from '@vkmemd/proto';
import { quoted } from './findings.js';
import type { ByteTerm, HeapTerms } from './rights.js';
import type { Table, Value } from './toml.js';
import { type Context, REFUSED, type Read, type Reader, refuse } from './values.js';

/** The largest number of bytes on the wire. */
const MAX_BYTES = (1n << 63n) - 1n;
/** VK_MAX_MEMORY_HEAPS */
const MAX_HEAPS = 16;

const IN_BYTES = 'bytes, a size such as "64MiB" or "64M" (K, M, G or T)';

/** A number of bytes. */
function bytesOf(value: Value, context: Context): Read<bigint> {
  if (value.kind !== 'integer' && value.kind !== 'string') return refuse(value, context);
  const text = String(value.value);
  const bytes = bytesIn(text);
  if (bytes === undefined || bytes < 0n) {
    const [, unit] = /^\d+ *([A-Za-z]+)$/.exec(text) ?? [];
    const what =
      unit === undefined ? `${quoted(text)} is not a size` : `${quoted(unit)} is not a unit of a size`;
    return refuse(value, context, what);
  }
  return bytes <= MAX_BYTES ? bytes : refuse(value, context, `${quoted(text)} is too large`);
}

/** A size from `least` to `max` bytes, inclusive. */
export function bytesBetween(least: number, max: number): Reader<number> {
  return {
    allowed: `${IN_BYTES}, from ${least} to ${max}`,
    read: (value, context) => {
      const bytes = bytesOf(value, context);
      if (bytes === REFUSED || (bytes >= BigInt(least) && bytes <= BigInt(max))) {
        return bytes === REFUSED ? REFUSED : Number(bytes);
      }
      return refuse(value, context, `${bytes} bytes are too ${bytes < BigInt(least) ? 'few' : 'many'}`);
    },
  };
}

/** How bytes on each heap may be written. */
export interface HeapsFormat {
  /** Words that are allowed as a term. */
  readonly words: readonly ('share' | 'unlimited')[];
  /** The term of heaps that a table does not name, where it has no `default`. */
  readonly otherwise: ByteTerm;
}

function termOf(value: Value, context: Context, { words }: HeapsFormat): Read<ByteTerm> {
  if (value.kind === 'string') {
    const word = (['share', 'unlimited'] as const).find((one) => one === value.value);
    if (word && words.includes(word)) return word;
    if (word) return refuse(value, context, `"${word}" cannot be reserved`);
    const percent = percentIn(value.value);
    if (percent !== undefined && percent > 100) {
      return refuse(value, context, `${quoted(value.value)} is more than a whole heap`);
    }
    if (percent !== undefined) return { percent };
  }
  const bytes = bytesOf(value, context);
  return bytes === REFUSED ? REFUSED : { bytes };
}

function tableOf(table: Table, context: Context, format: HeapsFormat): Read<HeapTerms> {
  let every = format.otherwise;
  const heaps = new Map<number, ByteTerm>();
  let refused = false;
  for (const [key, { at, value }] of table.entries) {
    const heap = /^(0|[1-9]\d?)$/.test(key) ? Number(key) : Infinity;
    const term = termOf(value, context, format);
    if (key !== 'default' && heap >= MAX_HEAPS) {
      context.problem(at, `${quoted(key)} is not the index of a heap`);
      refused = true;
    } else if (term === REFUSED) refused = true;
    else if (key === 'default') every = term;
    else heaps.set(heap, term);
  }
  return refused ? REFUSED : { every, heaps };
}

export function heapTerms(format: HeapsFormat): Reader<HeapTerms> {
  const words = format.words.map((one) => `"${one}"`);
  const terms = [IN_BYTES, 'a percentage of the heap such as "50%"', ...words].join(', ');
  return {
    allowed: `${terms}, or a table of them by heap such as { default = "1GiB", 0 = "50%" }`,
    read: (value, context) => {
      if (value.kind === 'table') return tableOf(value, context, format);
      const every = termOf(value, context, format);
      return every === REFUSED ? REFUSED : { every };
    },
  };
}

/** Whether the first is larger than the second for every size of the heap. */
export function surelyMore(first: ByteTerm, second: ByteTerm): boolean {
  if (typeof first === 'string' || typeof second === 'string') return false;
  if ('bytes' in first && 'bytes' in second) return first.bytes > second.bytes;
  return 'percent' in first && 'percent' in second && first.percent > second.percent;
}

/** The term that applies to a heap; with 'every', to all heaps without their own term. */
export function termsOn(terms: HeapTerms, heap: number | 'every'): ByteTerm {
  return heap === 'every' ? terms.every : (terms.heaps?.get(heap) ?? terms.every);
}
