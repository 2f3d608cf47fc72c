/**
 * The fd store: where fds outlive this process. What is put under a name is handed back, under that name, to the process
 * that is started in the place of this one, however this one ended.
 *
 * Whoever keeps the fds is told over a socket and answers nothing. So three things are to be had from it: that a message
 * is in that socket, where it survives this process (put(), remove()); that all messages so far were dealt with
 * (settled()); and, by counting here, that there is room, since what is too much is dropped without a word.
 */
import type { OwnedFd } from '@vkmemd/proto';

/** Where fds outlive this process: put under a name, handed back at the next start. */
export interface FdStore {
  /** How many fds it takes at most; 0 where there is no store. */
  readonly capacity: number;
  /** How many it has, with those that an earlier process left. */
  readonly kept: number;
  /**
   * Hands a duplicate of each fd over, in the order of calls. Resolves once they are in the manager's socket.
   * @param fds Borrowed until then. One file is kept once, under its first name, however often it is put.
   * @throws VkmemError INVALID_NAME for what is no name; TOO_MANY_FILES where not all find room; UNAVAILABLE where
   *   nobody receives. Of several messages' worth of fds (more than 253) some may be kept then.
   */
  put(name: string, fds: readonly OwnedFd[]): Promise<void>;
  /** All that are kept under the name, once messages before it are through. */
  remove(name: string): Promise<void>;
  /**
   * Resolves when the manager has dealt with everything before it (sd_notify's BARRIER=1). Cheap: all who ask while one
   * is on its way share the next one. systemd may close what it let go of a moment later, on a thread of its own.
   * @throws VkmemError UNAVAILABLE where nobody receives, or this was closed.
   */
  settled(): Promise<void>;
  /** What has not left yet is given up: its promises are rejected with UNAVAILABLE. */
  close(): void;
}
