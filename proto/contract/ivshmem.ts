/**
 * The ivshmem protocol, version 0, as QEMU's ivshmem-doorbell device speaks it (QEMU,
 * docs/specs/ivshmem-spec.txt, "The client-server protocol").
 *
 * Only the server sends. It sends words of 8 bytes, little-endian and signed, each with at most one fd: first
 * the version, the peer's own id, and -1 with the fd of the memory; then ids with fds, which are the eventfds
 * of that peer in the order of its vectors: the peers that are connected, and the new peer itself last. Later
 * it sends the same for each peer that joins, and an id without an fd for each peer that leaves.
 */
import type { OwnedFd } from '../kernel/fd.js';
import { VkmemError } from './errors.js';

/** The first word. */
export const IVSHMEM_VERSION = 0n;
/** The word that comes with the fd of the memory. */
export const IVSHMEM_MEMORY = -1n;
export const MAX_PEER_ID = 65_535;
export const MAX_VECTORS = 64;
const WORD_BYTES = 8;

/** One word. */
export interface Word {
  readonly value: bigint;
  /** Borrowed by the sender; the receiver owns it. */
  readonly fd: OwnedFd | undefined;
}

export function encodeWord(value: bigint): Buffer {
  const bytes = Buffer.alloc(WORD_BYTES);
  bytes.writeBigInt64LE(value);
  return bytes;
}

/** Reassembles words from the chunks of an FdStream. */
export class WordReader {
  #rest: Buffer = Buffer.alloc(0);

  /**
   * @param fds Taken, also on failure: they belong to the last word.
   * @returns The complete words; the caller owns their fds.
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
      throw new VkmemError('PROTOCOL_ERROR', 'An fd was received that belongs to no word.');
    }
    return values.map((value, at) => ({ value, fd: at === values.length - 1 ? fds[0] : undefined }));
  }
}
