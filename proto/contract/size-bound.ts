/**
 * The bound of a message's size, which costs less than to encode it, for those who fill messages with as many parts as
 * fit. It is about twice the size of an allocation with its grants: enumerators count as their names.
 */
import { MAX_MANY, MAX_MESSAGE_BYTES } from './names.js';

/** Of a field with a number up to 2047. */
const TAG_BYTES = 2;
const VARINT_BYTES = 10;
/** Of a double, whatever its value. */
const DOUBLE_BYTES = 8;
/** Of what is below 2^28, and of the length of a field. */
const SHORT_BYTES = 4;
const SHORT = 2 ** 28;

/** What the rest of a message may need. */
const ENVELOPE_BYTES = 64;

/**
 * @param message A draft of any of vkmem.v1; none of them has a map, whose keys would count too.
 * @returns bytes: at least as many as encode() makes of it, with its tag and its length as a field of another message.
 */
export function sizeBound(message: object): number {
  return fieldBound(message);
}

/**
 * How many parts fit one message: at least one where there is one, at most MAX_MANY.
 * @param parts Drafts, as for sizeBound().
 * @param first The number of the one to begin with.
 */
export function fitting(parts: readonly object[], first = 0): number {
  let bytes = ENVELOPE_BYTES;
  let count = 0;
  for (let part = parts[first]; part !== undefined && count < MAX_MANY; part = parts[first + count]) {
    bytes += sizeBound(part);
    if (bytes > MAX_MESSAGE_BYTES && count > 0) break;
    count += 1;
  }
  return count;
}

function fieldBound(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return TAG_BYTES + SHORT_BYTES + Buffer.byteLength(value);
    case 'number':
      return (
        TAG_BYTES + (Number.isInteger(value) && value >= 0 && value < SHORT ? DOUBLE_BYTES : VARINT_BYTES)
      );
    case 'bigint':
      return TAG_BYTES + (value >= 0n && value < SHORT ? SHORT_BYTES : VARINT_BYTES);
    case 'boolean':
      return TAG_BYTES + 1;
    case 'object':
      return value === null ? 0 : objectBound(value);
    default:
      return 0;
  }
}

function objectBound(value: object): number {
  if (value instanceof Uint8Array) return TAG_BYTES + SHORT_BYTES + value.byteLength;
  if (Array.isArray(value))
    return value.reduce((sum: number, one) => sum + fieldBound(one), TAG_BYTES + SHORT_BYTES);
  let sum = TAG_BYTES + SHORT_BYTES;
  for (const name in value) sum += fieldBound((value as Record<string, unknown>)[name]);
  return sum;
}
