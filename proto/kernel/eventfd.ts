/**
 * EventFd: a doorbell between processes. One side adds to a counter in the kernel, the other is called with
 * the sum since the last call, which resets it. Both ends of a socket can hold the same one: send a dup() of
 * its fd.
 */
import { VkmemError } from '../contract/errors.js';
import { OwnedFd } from './fd.js';
import { isKernelError, type NativeEventWatch, native } from './native.js';

/** The counter's largest value; nothing can be added to a full counter until it is read (eventfd(2)). */
export const EVENTFD_MAX = 0xffff_ffff_ffff_fffen;

export class EventFd {
  readonly fd: OwnedFd;
  #watch: NativeEventWatch | undefined;

  /** @param fd An eventfd, of this process or received from another; taken, and closed by close(). */
  constructor(fd: OwnedFd) {
    this.fd = fd;
  }

  /** @throws KernelError EMFILE, ENFILE, ENOMEM. */
  static create(): EventFd {
    return new EventFd(new OwnedFd(native.createEventFd(), 'eventfd'));
  }

  /**
   * Adds `n`, 1 by default, and wakes the listener.
   * @throws VkmemError INVALID_ARGUMENT if `n` is not within 1 to EVENTFD_MAX.
   * @throws KernelError EAGAIN if the sum would not fit: the listener has been woken and has not read.
   */
  signal(n = 1n): void {
    if (n < 1n || n > EVENTFD_MAX) {
      throw new VkmemError('INVALID_ARGUMENT', `n: ${n} is not within 1 to ${EVENTFD_MAX}.`);
    }
    native.signalEventFd(this.fd.fd, n);
  }

  /** Wakes the listener, also where the counter is full. @throws KernelError but EAGAIN. */
  ring(): void {
    try {
      this.signal();
    } catch (failure) {
      if (!isKernelError(failure) || failure.code !== 'EAGAIN') throw failure;
    }
  }

  /**
   * Calls back with the counter whenever it is above 0, at most once a turn of the event loop. Replaces an
   * earlier callback. Keeps the event loop running until unlisten(). Makes the eventfd non-blocking for all
   * its holders.
   */
  listen(callback: (count: bigint) => void): void {
    this.unlisten();
    const watch = new native.EventWatch();
    watch.open(this.fd.fd, callback);
    this.#watch = watch;
  }

  unlisten(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }

  /** Stops listening and closes the fd. */
  close(): void {
    this.unlisten();
    this.fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
