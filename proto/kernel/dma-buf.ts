/**
 * CPU access through a mapping of a dma-buf, whose begin and end the driver has to be notified of
 * (DMA_BUF_IOCTL_SYNC, linux/dma-buf.h).
 *
 * A driver may keep the memory where the CPU sees it only after a cache flush or a copy. After the access has
 * begun, the CPU sees what the device wrote before. After it has ended, the device sees what the CPU wrote.
 * In between, either may see stale bytes. Beginning and ending an access may block this thread until the
 * device has finished its work. The processes that share the memory are responsible for any other ordering.
 */
import type { OwnedFd } from './fd.js';
import { native, translating } from './native.js';

/** One CPU access to a dma-buf, from its construction to end(). */
export class CpuAccess {
  readonly #fd: OwnedFd;
  readonly #writing: boolean;
  #begun = false;

  /**
   * Begins access.
   * @param fd The dma-buf; borrowed until end().
   * @param access 'ro' reads only, 'rw' reads and writes.
   * @throws VkmemError NOT_MAPPABLE, with the errno, where the fd is not a dma-buf (ENOTTY) or its driver
   *   refuses.
   */
  constructor(fd: OwnedFd, access: 'rw' | 'ro') {
    this.#fd = fd;
    this.#writing = access === 'rw';
    this.#begin();
  }

  /** Whether access is in progress: false after end(), and after a sync() that failed. */
  get begun(): boolean {
    return this.#begun;
  }

  /**
   * Ends access and begins it again: the device sees what the CPU wrote, and the CPU what the device wrote.
   * @throws VkmemError NOT_MAPPABLE, with the errno.
   */
  sync(): void {
    this.end();
    this.#begin();
  }

  /**
   * Ends access. Does nothing if it has ended. A failure is not retried: the device may then not see what was
   * written.
   * @throws VkmemError NOT_MAPPABLE, with the errno.
   */
  end(): void {
    if (!this.#begun) return;
    this.#begun = false;
    this.#sync(true);
  }

  #begin(): void {
    this.#sync(false);
    this.#begun = true;
  }

  #sync(end: boolean): void {
    translating({ '*': 'NOT_MAPPABLE' }, () => native.syncDmaBuf(this.#fd.fd, end, this.#writing));
  }
}
