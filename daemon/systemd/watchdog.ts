/**
 * The service manager's watchdog: WATCHDOG=1 twice in the time that $WATCHDOG_USEC allows, or the manager kills the
 * process (SIGABRT) and starts another.
 *
 * It is fed from the event loop, and only with an answer of the device's threads in hand: a daemon whose loop turns while
 * the driver hangs serves nobody. One question is out at a time, so a driver that hangs costs one thread. What the answer
 * says does not matter here: a device that is lost, and being opened again, answers too. Nothing asks the manager to kill
 * at once (WATCHDOG=trigger): the process may recover in what is left of the time.
 */

/** What a timer can wait. */
const LONGEST_MS = 0x7fffffff;

export interface Fed {
  /** Resolves when the device's threads have answered. */
  answer(): Promise<void>;
  feed(): void;
  /** A question has had no answer for so long: said once, until there is one. */
  unanswered(milliseconds: number): void;
  /** The answer was a failure, which feeds nobody. */
  failed(failure: unknown): void;
}

/**
 * How long the manager waits for a sign of this process, in milliseconds; undefined where it does not watch. The
 * variables are removed, so that no child thinks it watched.
 * @throws Error where they make no sense.
 */
export function watchdogTime(env: NodeJS.ProcessEnv, pid: number = process.pid): number | undefined {
  const { WATCHDOG_USEC: time, WATCHDOG_PID: whom } = env;
  delete env.WATCHDOG_USEC;
  delete env.WATCHDOG_PID;
  if (time === undefined || (whom !== undefined && whom !== String(pid))) return undefined;
  // Less than 2 ms cannot be halved by a timer.
  if (!/^\d{4,19}$/.test(time) || Number(time) < 2000) {
    throw new Error(`WATCHDOG_USEC=${time} is not a time in microseconds, of 2 ms at least`);
  }
  return Math.min(Number(time) / 1000, LONGEST_MS);
}

export class Watchdog {
  readonly #fed: Fed;
  readonly #timer: NodeJS.Timeout;
  /** When the question that is out was asked; undefined where none is. */
  #asked: number | undefined;
  #told = false;
  #closed = false;

  /** Begins at once. @param time in milliseconds, as watchdogTime(). */
  constructor(time: number, fed: Fed) {
    this.#fed = fed;
    this.#timer = setInterval(() => this.#turn(), time / 2);
    this.#timer.unref();
    this.#turn();
  }

  /** Feeds it no more. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #turn(): void {
    if (this.#asked === undefined) {
      void this.#ask();
      return;
    }
    if (this.#told) return;
    this.#told = true;
    this.#fed.unanswered(performance.now() - this.#asked);
  }

  async #ask(): Promise<void> {
    this.#asked = performance.now();
    try {
      await this.#fed.answer();
      if (!this.#closed) this.#fed.feed();
    } catch (failure) {
      this.#fed.failed(failure);
    }
    this.#asked = undefined;
    this.#told = false;
  }
}
