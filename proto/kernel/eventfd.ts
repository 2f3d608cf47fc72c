/**
 * EventFd: a notification between processes (eventfd(2)). One side adds to a counter in the kernel. The other
 * side is called with the sum since the last call, which resets the counter. To share one, send a dup() of
 * its fd.
 */
import { VkmemError } from '../contract/errors.js';
import { OwnedFd } from './fd.js';
import { isKernelError, type NativeEventWatch, native } from './native.js';

/**
 * The largest value of the counter, 2^64 - 2 (eventfd(2)). Nothing can be added to a full counter until it is
 * read.
 */
export const EVENTFD_MAX = 0xffff_ffff_ffff_fffen;

/** An eventfd (eventfd(2)): a 64-bit counter in the kernel with which processes notify each other. */
export class EventFd {
  /** The eventfd, owned by this object. */
  readonly fd: OwnedFd;
  #watch: NativeEventWatch | undefined;

  /** @param fd An eventfd of this process or of another one; taken, and closed by close(). */
  constructor(fd: OwnedFd) {
    this.fd = fd;
  }

  /** @throws KernelError EMFILE, ENFILE, ENOMEM. */
  static create(): EventFd {
    return new EventFd(new OwnedFd(native.createEventFd(), 'eventfd'));
  }

  /**
   * Adds `n` to the counter, 1 by default, and wakes the listener.
   * @throws VkmemError INVALID_ARGUMENT if `n` is not within 1 to EVENTFD_MAX.
   * @throws KernelError EAGAIN if the counter has no room for `n` because the listener has not read it.
   */
  signal(n = 1n): void {
    if (n < 1n || n > EVENTFD_MAX) {
      throw new VkmemError('INVALID_ARGUMENT', `n: ${n} is not within 1 to ${EVENTFD_MAX}.`);
    }
    native.signalEventFd(this.fd.fd, n);
  }

  /**
   * Wakes the listener; a full counter is not an error.
   * @throws KernelError other than EAGAIN.
   */
  ring(): void {
    try {
      this.signal();
    } catch (failure) {
      if (!isKernelError(failure) || failure.code !== 'EAGAIN') throw failure;
    }
  }

  /**
   * Calls back with the counter when it is above 0, at most once per turn of the event loop, and resets it.
   * Replaces an earlier callback. Keeps the event loop running until unlisten(). Makes the eventfd
   * non-blocking for all its holders.
   */
  listen(callback: (count: bigint) => void): void {
    this.unlisten();
    const watch = new native.EventWatch();
    watch.open(this.fd.fd, callback);
    this.#watch = watch;
  }

  /** Ends listen(). Does nothing without a callback. */
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
