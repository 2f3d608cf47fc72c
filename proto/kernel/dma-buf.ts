/**
 * What the CPU does through a mapping of a dma-buf, bracketed for the driver behind it.
 *
 * A driver may keep the memory where the CPU sees it only after a cache was flushed or a copy was made. Access that is
 * begun shows what the device wrote before; access that has ended shows the device what was written here. In between
 * either may see old bytes of the other. Beginning and ending may wait, on this thread, for work of the device that is
 * under way; ordering beyond that is up to those who share the memory.
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
   * @throws VkmemError NOT_MAPPABLE, with the errno, where the fd is no dma-buf (ENOTTY) or its driver refuses.
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
   * Ends access and begins it again: what was written reaches the device, and what the device wrote is seen.
   * @throws VkmemError NOT_MAPPABLE, with the errno.
   */
  sync(): void {
    this.end();
    this.#begin();
  }

  /**
   * Does nothing where it has ended, and does not try a second time: after a failure what was written may not have
   * reached the device.
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
