/**
 * The reserve: a file of zeros beside the ledger, which keeps room on the file system for writes that must
 * not fail, such as the record of a free. It shrinks when such a write finds no room, and is filled again
 * before anything new is recorded. A file serves every file system, also those without fallocate().
 */
import { closeSync, fstatSync, ftruncateSync, openSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'reserve';
const PAGE = 4096;
/** Its size when it is full, unless the file system is small. */
const MAX_BYTES = 256 << 10;
/** The part of a small file system that it takes. */
const PART = 8;
/** The room that one retry releases. */
const STEP = 4 * PAGE;

export class Reserve {
  /** Its size when it is full. */
  readonly bytes: number;
  /** The size of the file system; Infinity if it is not known. */
  readonly fileSystemBytes: number;
  readonly #fd: number | undefined;
  #size = 0;

  /** @param folder The folder of the ledger. Never throws: without the file, the reserve is always empty. */
  constructor(folder: string) {
    this.fileSystemBytes = sizeOf(folder);
    this.bytes = Math.min(MAX_BYTES, Math.floor(this.fileSystemBytes / PART / PAGE) * PAGE);
    try {
      this.#fd = openSync(join(folder, FILE), 'a', 0o600);
      this.#size = Math.min(fstatSync(this.#fd).size, this.bytes);
    } catch {
      this.#fd = undefined;
    }
  }

  /** The bytes that are missing. */
  get missing(): number {
    return this.bytes - this.#size;
  }

  /** Fills it. @throws Error of Node.js with an errno: ENOSPC, EDQUOT, EIO, EROFS. */
  fill(): void {
    if (this.missing === 0) return;
    if (this.#fd === undefined) throw Object.assign(new Error('the reserve is not open'), { code: 'EROFS' });
    const zeros = Buffer.alloc(PAGE);
    while (this.missing > 0) this.#size += writeSync(this.#fd, zeros, 0, Math.min(PAGE, this.missing));
  }

  /** Verifies that there is room for as many bytes besides it. @throws as fill(). */
  probe(bytes: number): void {
    if (this.#fd === undefined) return;
    try {
      for (let written = 0; written < bytes; ) written += writeSync(this.#fd, Buffer.alloc(PAGE));
    } finally {
      ftruncateSync(this.#fd, this.#size);
    }
  }

  /**
   * Releases a part of it to the file system.
   * @param kept The bytes that stay. @returns whether anything was released.
   */
  shrink(kept: number): boolean {
    const size = Math.max(kept, this.#size - STEP);
    if (this.#fd === undefined || size >= this.#size) return false;
    try {
      ftruncateSync(this.#fd, size);
      this.#size = size;
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}

function sizeOf(folder: string): number {
  try {
    const { blocks, bsize } = statfsSync(folder);
    return blocks > 0 ? blocks * bsize : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
