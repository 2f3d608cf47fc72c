/** A front that was started, as what starts it makes it: a process of its own, or a part of this one. */
import type { OwnedFd } from '@vkmemd/proto';

/** A front on the machine's processors. */
export interface Scheduled {
  /** One of its threads runs, or is ready to run and those of others run; otherwise it waits or is stopped. */
  readonly runnable: boolean;
  /** Processor time of all its threads since its start, in milliseconds. */
  readonly ranMs: number;
}

export interface FrontInstance {
  /** Undefined if it runs in this process. */
  readonly pid: number | undefined;
  /** Resolves with how it ended. Never rejects. */
  readonly exited: Promise<string>;
  /** Ends it at once. */
  kill(): void;
  /** Its resident memory in bytes; 0 where it is not known. */
  residentBytes(): number;
  /** Undefined where it is not known. */
  scheduled(): Scheduled | undefined;
}

/**
 * Starts a front.
 * @param link its end of the link; ownership is taken.
 * @param maxBytes of resident memory, beyond which it is ended.
 * @throws if it cannot be started.
 */
export type StartFront = (link: OwnedFd, maxBytes: number) => FrontInstance;
