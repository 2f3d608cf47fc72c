/**
 * An fd's memory as an ArrayBuffer, and its end.
 *
 * unmap() detaches the buffer: its length and that of every view becomes 0, so that nothing can access
 * unmapped memory. The pages are unmapped in the next turn of the event loop, or, if
 * ArrayBuffer.prototype.transfer() moved them to another buffer, when that one is collected. A mapping that
 * is not disposed is unmapped when its buffer is collected. The fd may be closed as soon as mapFd() has
 * returned.
 */
import { constants } from 'node:buffer';
import { fstatSync } from 'node:fs';
import { VkmemError } from '../contract/errors.js';
import type { OwnedFd } from './fd.js';
import { native, translating } from './native.js';

export interface MapOptions {
  /**
   * Bytes from the file's start; a multiple of the page size, and of the file's huge pages where it has them.
   */
  readonly offset: bigint;
  /** Bytes, 1 to buffer.constants.MAX_LENGTH, within the file. */
  readonly length: number;
  /**
   * 'rw' shares writes with all other mappings. 'ro' sees them, but a write through it changes a private copy
   * of the page, and this mapping stops seeing others' writes to that page: JavaScript has no read-only
   * buffers, and a page without write access would end the process instead.
   */
  readonly access: 'rw' | 'ro';
}

export interface Mapping {
  readonly buffer: ArrayBuffer;
  /** False once `buffer` is detached, by unmap() or by a transfer. */
  readonly mapped: boolean;
  /** Detaches `buffer`. Does nothing the second time. */
  unmap(): void;
  [Symbol.dispose](): void;
}

const PAGE_BYTES = 4096n;

class FdMapping implements Mapping {
  readonly buffer: ArrayBuffer;
  #mapped = true;

  constructor(buffer: ArrayBuffer) {
    this.buffer = buffer;
  }

  get mapped(): boolean {
    // Length 0 is never mapped, so that it can only mean detached.
    return this.#mapped && this.buffer.byteLength > 0;
  }

  unmap(): void {
    if (!this.mapped) return;
    this.#mapped = !native.detach(this.buffer);
    if (this.#mapped) throw new VkmemError('INTERNAL', 'The buffer of a mapping could not be detached.');
  }

  [Symbol.dispose](): void {
    this.unmap();
  }
}

/**
 * Bytes of each of the file's huge pages; 0n where it has none.
 * @param fd Borrowed.
 * @throws KernelError from fstatfs().
 */
export function hugePageOf(fd: OwnedFd): bigint {
  return native.hugePageOf(fd.fd);
}

/**
 * Maps a range of the file. Map only files that are sealed against shrinking (readSeals), or that the kernel
 * never shrinks: touching a page beyond the end of a file that was truncated kills the process with SIGBUS.
 * @param fd Borrowed for the call.
 * @throws VkmemError INVALID_RANGE if the range is empty, too long, unaligned or outside the file;
 *   NOT_MAPPABLE, with the errno, if the kernel or the fd's driver refuses. A driver may refuse 'ro' alone,
 *   since it is a private mapping. HUGE_PAGES_UNAVAILABLE for 'ro' of huge pages where not as many are free:
 *   the kernel reserves them for copies while the range is mapped.
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
  // A device has no size to compare with; its driver checks the range.
  const file = fstatSync(fd.fd, { bigint: true });
  if ((file.isFile() || file.size > 0n) && offset + BigInt(length) > file.size) {
    throw new VkmemError(
      'INVALID_RANGE',
      `${length} bytes at ${offset} reach beyond the file's ${file.size} bytes.`,
    );
  }
  const enomem = huge > 0n && access === 'ro' ? 'HUGE_PAGES_UNAVAILABLE' : 'NOT_MAPPABLE';
  const buffer = translating({ '*': 'NOT_MAPPABLE', ENOMEM: enomem }, () =>
    native.mapFd(fd.fd, offset, length, access === 'rw'),
  );
  return new FdMapping(buffer);
}
