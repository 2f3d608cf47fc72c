/**
 * The fd store: a store of the service manager in which fds outlive this process. The next process inherits
 * the stored fds under their names, however this process ended.
 *
 * The manager receives messages over a socket and does not respond. So put() and remove() resolve when the
 * message is in that socket, where it outlives this process; settled() resolves when the manager has
 * processed all messages so far. The manager silently drops fds that exceed its limit, so the implementation
 * counts the stored fds and refuses excess ones itself.
 */
import type { OwnedFd } from '@vkmemd/proto';

/** A store in which fds outlive this process: stored under a name, inherited at the next start. */
export interface FdStore {
  /** The maximum number of fds; 0 if there is no store. */
  readonly capacity: number;
  /** The number of stored fds, including those of earlier processes. */
  readonly stored: number;
  /**
   * Stores a duplicate of each fd, in the order of calls. Resolves when the message is in the manager's
   * socket.
   * @param fds Borrowed until then. A file is stored once, under its first name, even if it is put again.
   * @throws VkmemError INVALID_NAME for an invalid name; TOO_MANY_FILES if the fds exceed the capacity;
   *   UNAVAILABLE if the manager does not receive the message. More than 253 fds are sent in several
   *   messages, and a part of them may then be stored.
   */
  put(name: string, fds: readonly OwnedFd[]): Promise<void>;
  /** Removes all fds that are stored under the name, after the messages before it. */
  remove(name: string): Promise<void>;
  /**
   * Resolves when the manager has processed all messages before it (sd_notify's BARRIER=1). Calls during a
   * barrier share the next one, so many calls cost little. systemd may close removed fds a moment later, on
   * another thread.
   * @throws VkmemError UNAVAILABLE if the manager does not receive the message, or the store was closed.
   */
  settled(): Promise<void>;
  /** Discards messages that were not sent yet: their promises are rejected with UNAVAILABLE. */
  close(): void;
}
