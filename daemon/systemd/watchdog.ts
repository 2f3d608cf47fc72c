/**
 * The service manager's watchdog: WATCHDOG=1 twice in the time of $WATCHDOG_USEC, or the manager kills the
 * process (SIGABRT) and starts another.
 *
 * It is fed from the event loop, and only after the device's threads have responded: a daemon whose event
 * loop runs while the driver hangs serves no request. One request is under way at a time, so a driver that
 * hangs blocks one thread. Any response counts: a lost device that is being reopened responds too. The daemon
 * does not ask the manager to kill it at once (WATCHDOG=trigger), because it may recover in the remaining
 * time.
 */

/** The longest delay of a timer. */
const MAX_MS = 0x7fffffff;

export interface WatchdogHandlers {
  /** Resolves when the device's threads have responded. */
  answer(): Promise<unknown>;
  /** Notifies the manager. */
  feed(): void;
  /** The device has not responded for this time: called once, until it responds. */
  unanswered(milliseconds: number): void;
  /** answer() failed: the watchdog is not fed. */
  failed(failure: unknown): void;
}

/**
 * The manager's watchdog timeout of this process, in milliseconds; undefined where it does not watch. The
 * variables are removed, so that no child process takes them for its own.
 * @throws Error where they are invalid.
 */
export function watchdogTime(env: NodeJS.ProcessEnv, pid: number = process.pid): number | undefined {
  const { WATCHDOG_USEC: time, WATCHDOG_PID: forPid } = env;
  delete env.WATCHDOG_USEC;
  delete env.WATCHDOG_PID;
  if (time === undefined || (forPid !== undefined && forPid !== String(pid))) return undefined;
  // A timer, which counts milliseconds, cannot halve less than 2 ms.
  if (!/^\d{4,19}$/.test(time) || Number(time) < 2000) {
    throw new Error(`WATCHDOG_USEC=${time} is not a time in microseconds, of 2 ms at least`);
  }
  return Math.min(Number(time) / 1000, MAX_MS);
}

export class Watchdog implements Disposable {
  readonly #handlers: WatchdogHandlers;
  readonly #timer: NodeJS.Timeout;
  /** When the request that is under way began; undefined where none is. */
  #askedAt: number | undefined;
  #reported = false;
  #disposed = false;

  /** Begins at once. @param timeoutMs As watchdogTime() returns it. */
  constructor(timeoutMs: number, handlers: WatchdogHandlers) {
    this.#handlers = handlers;
    this.#timer = setInterval(() => this.#tick(), timeoutMs / 2);
    this.#timer.unref();
    this.#tick();
  }

  /** Feeds it no more. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    clearInterval(this.#timer);
  }

  #tick(): void {
    if (this.#askedAt === undefined) {
      void this.#ask();
      return;
    }
    if (this.#reported) return;
    this.#reported = true;
    this.#handlers.unanswered(performance.now() - this.#askedAt);
  }

  async #ask(): Promise<void> {
    this.#askedAt = performance.now();
    try {
      await this.#handlers.answer();
      if (!this.#disposed) this.#handlers.feed();
    } catch (failure) {
      this.#handlers.failed(failure);
    }
    this.#askedAt = undefined;
    this.#reported = false;
  }
}
