/**
 * CPU access through a mapping of a dma-buf, bracketed for its driver (DMA_BUF_IOCTL_SYNC, linux/dma-buf.h).
 *
 * A driver may keep the memory where the CPU sees it only after a cache flush or a copy. After access has
 * begun, the CPU sees what the device wrote before; after it has ended, the device sees what the CPU wrote.
 * In between either may see old bytes of the other. Beginning and ending may block this thread until work of
 * the device has finished; any other ordering is up to the processes that share the memory.
 */
import type { OwnedFd } from './fd.js';
import { native, translating } from './native.js';

export class CpuAccess {
  readonly #fd: OwnedFd;
  readonly #writing: boolean;
  #begun = false;

  /**
   * Begins access.
   * @param fd Of the dma-buf; borrowed until end().
   * @param access 'ro' reads only, 'rw' reads and writes.
   * @throws VkmemError NOT_MAPPABLE, with the errno, where the fd is not a dma-buf (ENOTTY) or its driver
   *   refuses.
   */
  constructor(fd: OwnedFd, access: 'rw' | 'ro') {
    this.#fd = fd;
    this.#writing = access === 'rw';
    this.#begin();
  }

  /** False once it has ended, and where sync() could not begin it again. */
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
   * Ends access. Does nothing where it has ended, and is not retried: after a failure the device may not see
   * what was written.
   * @throws VkmemError NOT_MAPPABLE, with the errno.
   */
  end(): void {
    if (!this.#begun) return;
    this.#begun = false;
    this.#ask(true);
  }

  #begin(): void {
    this.#ask(false);
    this.#begun = true;
  }

  #ask(end: boolean): void {
    translating({ '*': 'NOT_MAPPABLE' }, () => native.syncDmaBuf(this.#fd.fd, end, this.#writing));
  }
}
