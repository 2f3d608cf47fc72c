/**
 * The service manager's watchdog. The daemon sends WATCHDOG=1 twice in the time of $WATCHDOG_USEC; if the
 * manager receives none in that time, it kills the process (SIGABRT) and starts another.
 *
 * The watchdog is fed from the event loop, and only after the device's threads have responded, because a
 * daemon whose driver hangs cannot serve requests even if its event loop runs. One query is under way at a
 * time, so a driver that hangs blocks one thread. Any response counts: a lost device that is being reopened
 * responds too. The daemon does not make the manager kill it at once (WATCHDOG=trigger), because it may
 * recover in the remaining time.
 */

import { VkmemError } from '@vkmemd/proto';

/** The maximum delay of a timer. */
const MAX_MS = 0x7fffffff;

export interface WatchdogHandlers {
  /** Resolves when the device's threads have responded. */
  answer(): Promise<unknown>;
  /** Sends WATCHDOG=1 to the manager. */
  feed(): void;
  /** The device has not responded for this time. Called once for each query. */
  unanswered(milliseconds: number): void;
  /** answer() failed: the watchdog is not fed. */
  failed(failure: unknown): void;
}

/**
 * The manager's watchdog timeout for this process, in milliseconds; undefined if there is none. The variables
 * are removed from `env`, so that no child process uses them.
 * @throws VkmemError INVALID_ARGUMENT if they are invalid.
 */
export function watchdogTime(env: NodeJS.ProcessEnv, pid: number = process.pid): number | undefined {
  const { WATCHDOG_USEC: time, WATCHDOG_PID: forPid } = env;
  delete env.WATCHDOG_USEC;
  delete env.WATCHDOG_PID;
  if (time === undefined || (forPid !== undefined && forPid !== String(pid))) return undefined;
  // The timer's interval is half of the timeout, and at least 1 ms.
  if (!/^\d{4,19}$/.test(time) || Number(time) < 2000) {
    const wrong = `WATCHDOG_USEC=${time} is not a time in microseconds, at least 2000, of at most 19 digits.`;
    const reason = `${wrong} The process that started vkmemd has set it.`;
    const next = 'Correct it there, or start vkmemd without the variable.';
    throw new VkmemError('INVALID_ARGUMENT', reason, {}, undefined, next);
  }
  return Math.min(Number(time) / 1000, MAX_MS);
}

export class Watchdog implements Disposable {
  readonly #handlers: WatchdogHandlers;
  readonly #timer: NodeJS.Timeout;
  /** The time when the current query began; undefined if none is under way. */
  #askedAt: number | undefined;
  #reported = false;
  #disposed = false;

  /** Starts at once. @param timeoutMs The result of watchdogTime(). */
  constructor(timeoutMs: number, handlers: WatchdogHandlers) {
    this.#handlers = handlers;
    this.#timer = setInterval(() => this.#tick(), timeoutMs / 2);
    this.#timer.unref();
    this.#tick();
  }

  /** Stops feeding the watchdog. */
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
