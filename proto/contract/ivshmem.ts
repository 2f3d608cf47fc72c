/**
 * The ivshmem protocol, version 0, as QEMU's ivshmem-doorbell device speaks it (QEMU, docs/specs/ivshmem-spec.txt,
 * "The client-server protocol").
 *
 * Only the server speaks. All that it says is words of 8 bytes, little-endian and signed, each with at most one fd: first
 * the version, the peer's own id, and -1 with the fd of the memory; then ids with fds: the eventfds of that peer, in the
 * order of its vectors, whoever was there first and the peer itself last. Later the same for whoever joins, and an id
 * without an fd for whoever leaves.
 */

import type { OwnedFd } from '../kernel/fd.js';
import { VkmemError } from './errors.js';

export const IVSHMEM_VERSION = 0n;
/** With the fd of the memory. */
export const IVSHMEM_MEMORY = -1n;
export const MAX_PEER_ID = 65_535;
export const MAX_VECTORS = 64;
const WORD_BYTES = 8;

/** One word, as it travels. */
export interface Word {
  readonly value: bigint;
  /** Whose it is depends on which side it is on. */
  readonly fd: OwnedFd | undefined;
}

export function encodeWord(value: bigint): Buffer {
  const bytes = Buffer.alloc(WORD_BYTES);
  bytes.writeBigInt64LE(value);
  return bytes;
}

/** Puts words together again, of chunks as FdStream brings them. */
export class WordReader {
  #rest: Buffer = Buffer.alloc(0);

  /**
   * @param fds taken: they are of the last word.
   * @returns what is complete; the caller owns the fds.
   * @throws VkmemError PROTOCOL_ERROR where an fd belongs to no word, or several to one.
   */
  read(chunk: Buffer, fds: readonly OwnedFd[]): Word[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const whole = bytes.length - (bytes.length % WORD_BYTES);
    this.#rest = bytes.subarray(whole);
    const values = Array.from({ length: whole / WORD_BYTES }, (_, at) =>
      bytes.readBigInt64LE(at * WORD_BYTES),
    );
    if (fds.length > 1 || (fds.length === 1 && (this.#rest.length > 0 || values.length === 0))) {
      for (const fd of fds) fd.close();
      throw new VkmemError('PROTOCOL_ERROR', 'An fd came that belongs to no word.');
    }
    return values.map((value, at) => ({ value, fd: at === values.length - 1 ? fds[0] : undefined }));
  }
}
