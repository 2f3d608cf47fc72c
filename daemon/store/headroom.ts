/**
 * Headroom: pages at the end of LMDB's file that are written before LMDB needs them, so that no write of LMDB
 * finds the file system full. LMDB 0.9.90 (lmdb 3.5.6) formats the text of such an error into a buffer that is
 * too small, which may end the process. LMDB never shortens the file, and uses its pages in order.
 */
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';

const PAGE = 4096;
/** Pages of the tables' roots, of the table of tables and of the list of free pages, with splits. */
const FIXED = 9;
/** Pages that are added beyond those needed. */
const MORE = 16;

export class Headroom {
  readonly #fd: number;
  readonly #lastPage: () => number;
  readonly #max: number;
  /** A lower bound of the pages left. */
  #left = 0;

  /**
   * @param lastPage Returns the number of the last page that LMDB has used.
   * @param max The maximum number of pages: less on a small file system.
   */
  constructor(path: string, lastPage: () => number, max: number) {
    this.#fd = openSync(path, 'r+');
    this.#lastPage = lastPage;
    this.#max = max;
  }

  /**
   * Provides the pages that a transaction may need.
   * @param writes The number of records that it writes. @param puts How many of these are not removed.
   * @throws Error of Node.js with an errno, such as ENOSPC.
   */
  require(writes: number, puts: number): void {
    const pages = this.#pagesFor(writes, puts);
    if (this.#left < pages) this.#extend(pages);
    this.#left -= pages;
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Pages are copied on write: at most each page of the file, and two for each new record. */
  #pagesFor(writes: number, puts: number): number {
    const copied = Math.min(2 * writes, this.#lastPage() + 1 + 2 * puts);
    return Math.min(this.#max, FIXED + copied + Math.ceil(writes / 256));
  }

  #extend(pages: number): void {
    const used = this.#lastPage() + 1;
    let size = fstatSync(this.#fd).size;
    const target = (used + Math.min(this.#max, pages + MORE)) * PAGE;
    const zeros = Buffer.alloc(PAGE);
    try {
      while (size < target) size += writeSync(this.#fd, zeros, 0, PAGE - (size % PAGE), size);
    } catch (failure) {
      if (Math.floor(size / PAGE) - used < pages) throw failure;
    }
    this.#left = Math.floor(size / PAGE) - used;
  }
}
