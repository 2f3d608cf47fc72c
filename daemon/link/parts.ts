/** Bytes that are larger than a datagram, as parts. */
import { PART_BYTES } from './link.js';

/** The parts of the bytes, in order, and whether more follow each; one empty part for no bytes. */
export function* partsOf(
  bytes: Uint8Array,
): Generator<{ readonly part: Uint8Array; readonly more: boolean }> {
  let at = 0;
  do {
    const end = at + PART_BYTES;
    yield { part: bytes.subarray(at, end), more: end < bytes.length };
    at = end;
  } while (at < bytes.length);
}

/** Puts the parts of one message together. */
export class Parts {
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;

  /** The bytes so far. */
  get size(): number {
    return this.#bytes;
  }

  /** @returns the whole once its last part is added; until then undefined. */
  add(part: Uint8Array, more: boolean): Uint8Array | undefined {
    if (!more && this.#parts.length === 0) return part;
    this.#parts.push(part);
    this.#bytes += part.length;
    if (more) return undefined;
    return Buffer.concat(this.#parts.splice(0));
  }
}
