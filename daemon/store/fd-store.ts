/**
 * The fd store: where fds outlive this process. What is stored under a name is inherited, under that name, by
 * the process that is started in the place of this one, however this one ended.
 *
 * The manager receives messages over a socket and never answers. So three things can be known: that a message
 * is in that socket, where it outlives this process (put(), remove()); that the manager has processed all
 * messages so far (settled()); and, by counting here, that there is room, since the manager drops silently
 * what exceeds its limit.
 */
import type { OwnedFd } from '@vkmemd/proto';

/** Where fds outlive this process: stored under a name, inherited at the next start. */
export interface FdStore {
  /** Maximum number of fds; 0 where there is no store. */
  readonly capacity: number;
  /** How many fds are stored, those of earlier processes included. */
  readonly stored: number;
  /**
   * Stores a duplicate of each fd, in the order of calls. Resolves once they are in the manager's socket.
   * @param fds Borrowed until then. One file is stored once, under its first name, however often it is put.
   * @throws VkmemError INVALID_NAME for what is no name; TOO_MANY_FILES where not all find room; UNAVAILABLE
   *   where nobody receives. Of several messages' worth of fds (more than 253) some may be stored then.
   */
  put(name: string, fds: readonly OwnedFd[]): Promise<void>;
  /** Removes all that are stored under the name, once the messages before it are processed. */
  remove(name: string): Promise<void>;
  /**
   * Resolves when the manager has processed everything before it (sd_notify's BARRIER=1). Cheap: all callers
   * that come while one is under way share the next one. systemd may close removed fds a moment later, on a
   * thread of its own.
   * @throws VkmemError UNAVAILABLE where nobody receives, or this was closed.
   */
  settled(): Promise<void>;
  /** Messages that were not sent yet are discarded: their promises are rejected with UNAVAILABLE. */
  close(): void;
}
