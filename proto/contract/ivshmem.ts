/**
 * The ivshmem protocol, version 0, which QEMU's ivshmem-doorbell device implements (QEMU,
 * docs/specs/ivshmem-spec.txt, "The client-server protocol").
 *
 * Only the server sends. A word has 8 bytes, little-endian and signed, and at most one fd. To a new peer the
 * server sends:
 * - the version, the id of the peer, and -1 with the fd of the memory;
 * - for each connected peer, and last for the new peer itself: its id once for each vector, with the eventfd
 *   of that vector.
 *
 * Later it sends the id with the eventfds of each peer that joins, and the id without an fd of each peer that
 * leaves.
 */
import type { OwnedFd } from '../kernel/fd.js';
import { VkmemError } from './errors.js';

/** The first word: the version of the protocol. */
export const IVSHMEM_VERSION = 0n;
/** The word that carries the fd of the memory. */
export const IVSHMEM_MEMORY = -1n;
/** The largest peer id. */
export const MAX_PEER_ID = 65_535;
/** The maximum number of interrupt vectors of one peer. */
export const MAX_VECTORS = 64;
const WORD_BYTES = 8;

/** One word of the protocol. */
export interface Word {
  /** Signed, 64 bits. */
  readonly value: bigint;
  /** Sender: borrowed. Receiver: the caller owns it. */
  readonly fd: OwnedFd | undefined;
}

/** Encodes a word, 8 bytes. */
export function encodeWord(value: bigint): Buffer {
  const bytes = Buffer.alloc(WORD_BYTES);
  bytes.writeBigInt64LE(value);
  return bytes;
}

/** Reassembles words from the chunks of an FdStream. */
export class WordReader {
  #rest: Buffer = Buffer.alloc(0);

  /**
   * @param fds Taken, also on failure. They belong to the last word of the chunk.
   * @returns The words that are complete. The caller owns their fds.
   * @throws VkmemError PROTOCOL_ERROR where an fd does not belong to a word, or one word has several.
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
      throw new VkmemError(
        'PROTOCOL_ERROR',
        'The ivshmem server sent an fd without a word, or several fds with one.',
      );
    }
    return values.map((value, at) => ({ value, fd: at === values.length - 1 ? fds[0] : undefined }));
  }
}
