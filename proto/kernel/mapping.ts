/**
 * Maps the memory of an fd as an ArrayBuffer (mmap(2)), and unmaps it.
 *
 * unmap() detaches the buffer: its length and that of every view become 0, so that no code can access
 * unmapped memory. The pages are unmapped in the next turn of the event loop, large ones on another thread; if
 * ArrayBuffer.prototype.transfer() moved them to another buffer, they are unmapped when that buffer is
 * garbage-collected. A mapping that is not disposed is unmapped when its buffer is garbage-collected. The fd
 * may be closed as soon as mapFd() has returned.
 */
import { constants } from 'node:buffer';
import { fstatSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { VkmemError } from '../contract/errors.js';
import type { OwnedFd } from './fd.js';
import { native, translating } from './native.js';

/** Options of mapFd(). */
export interface MapOptions {
  /**
   * Bytes from the start of the file; a multiple of the page size, and of the huge page size where the file
   * has huge pages.
   */
  readonly offset: bigint;
  /** Bytes, 1 to buffer.constants.MAX_LENGTH. The range must lie within the file. */
  readonly length: number;
  /**
   * 'rw': writes are shared with all other mappings. 'ro': writes of other mappings are visible, but a write
   * through this one changes a private copy of the page, after which writes of others to that page are no
   * longer visible here. JavaScript has no read-only buffers, and a write to a page without write access
   * would kill the process.
   */
  readonly access: 'rw' | 'ro';
}

/** A mapped range of a file. */
export interface Mapping {
  /** The memory. */
  readonly buffer: ArrayBuffer;
  /** Whether `buffer` is attached; false after unmap() or a transfer of the buffer. */
  readonly mapped: boolean;
  /**
   * Detaches `buffer`. Does nothing if it is detached.
   * @throws VkmemError INTERNAL if the buffer cannot be detached.
   */
  unmap(): void;
  [Symbol.dispose](): void;
}

const PAGE_BYTES = 4096n;
const LOOK_MS = 1;

/** Resolves when no thread is unmapping pages of this process: of 1 MiB and more, of detached or collected buffers. */
export async function unmapped(): Promise<void> {
  while (native.unmapping() > 0) await setTimeout(LOOK_MS);
}

class FdMapping implements Mapping {
  readonly buffer: ArrayBuffer;
  #mapped = true;

  constructor(buffer: ArrayBuffer) {
    this.buffer = buffer;
  }

  get mapped(): boolean {
    // A mapping never has length 0, so a length of 0 means that the buffer is detached.
    return this.#mapped && this.buffer.byteLength > 0;
  }

  unmap(): void {
    if (!this.mapped) return;
    this.#mapped = !native.detach(this.buffer);
    if (this.#mapped) throw new VkmemError('INTERNAL', 'The ArrayBuffer of the mapping cannot be detached.');
  }

  [Symbol.dispose](): void {
    this.unmap();
  }
}

/**
 * The size of the file's huge pages, in bytes; 0n where it has none.
 * @param fd Borrowed.
 * @throws KernelError from fstatfs().
 */
export function hugePageOf(fd: OwnedFd): bigint {
  return native.hugePageOf(fd.fd);
}

/**
 * Maps a range of a file. Map only files that are sealed against shrinking (readSeals()), or that the kernel
 * never shrinks: an access beyond the end of a truncated file kills the process with SIGBUS. A mapping for 'ro' is
 * private: a write changes a copy of this process. A dma-buf may refuse that (EINVAL); then the mapping has no
 * permission to write, and a write kills the process with SIGSEGV.
 * @param fd Borrowed for the call.
 * @throws VkmemError INVALID_RANGE if the range is empty, too long, unaligned or outside the file;
 *   NOT_MAPPABLE, with the errno, if the kernel or the fd's driver refuses; HUGE_PAGES_UNAVAILABLE for 'ro' of huge pages if not enough are free,
 *   because the kernel reserves one for the copy of each mapped page.
 */
export function mapFd(fd: OwnedFd, options: MapOptions): Mapping {
  const { offset, length, access } = options;
  if (!Number.isInteger(length) || length < 1 || length > constants.MAX_LENGTH) {
    throw new VkmemError(
      'INVALID_RANGE',
      `length: ${length} is not within 1 to ${constants.MAX_LENGTH} bytes.`,
    );
  }
  const huge = hugePageOf(fd);
  const page = huge > PAGE_BYTES ? huge : PAGE_BYTES;
  if (offset < 0n || offset % page !== 0n) {
    throw new VkmemError('INVALID_RANGE', `offset: ${offset} is not a multiple of ${page} bytes.`);
  }
  // A device has no file size; its driver checks the range.
  const file = fstatSync(fd.fd, { bigint: true });
  if ((file.isFile() || file.size > 0n) && offset + BigInt(length) > file.size) {
    throw new VkmemError(
      'INVALID_RANGE',
      `length: ${length} bytes at offset ${offset} end beyond the file's ${file.size} bytes.`,
    );
  }
  const enomem = huge > 0n && access === 'ro' ? 'HUGE_PAGES_UNAVAILABLE' : 'NOT_MAPPABLE';
  const buffer = translating({ '*': 'NOT_MAPPABLE', ENOMEM: enomem }, () =>
    native.mapFd(fd.fd, offset, length, access === 'rw'),
  );
  return new FdMapping(buffer);
}
