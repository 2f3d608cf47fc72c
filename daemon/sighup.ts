/**
 * SIGHUP: the policy is read again, and the service manager told when that begins and ends (sd_notify's RELOADING=1
 * and READY=1, as Type=notify-reload waits for them). A reload that fails ends with READY=1 too: the daemon serves on
 * by the policy that it has, and says so.
 *
 * A SIGHUP that comes before the daemon serves is kept until then, since the policy may have been read already; one
 * that comes while it stops means nothing any more. Neither ends the process, as it would without a handler.
 */

/** What a reload needs, once the daemon serves. */
export interface Reloading {
  reload(): Promise<unknown>;
  /** Tells of a reload that failed. */
  failed(failure: unknown): void;
  /** Tells the service manager, where there is one. */
  notify(...assignments: string[]): void;
  /** What the manager shows while all is well. */
  status(): string;
}

export class SighupHandler {
  #serving: Reloading | undefined;
  #kept = false;

  constructor() {
    process.on('SIGHUP', () => {
      if (this.#serving) void this.#reload(this.#serving);
      else this.#kept = true;
    });
  }

  serve(reloading: Reloading): void {
    this.#serving = reloading;
    if (this.#kept) void this.#reload(reloading);
  }

  /** Later ones change nothing, and nobody is told of one under way. */
  close(): void {
    this.#serving = undefined;
  }

  async #reload(reloading: Reloading): Promise<void> {
    const tell = (...assignments: string[]) => {
      if (this.#serving) reloading.notify(...assignments);
    };
    // CLOCK_MONOTONIC, as the manager counts.
    tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    try {
      await reloading.reload();
      tell('READY=1', `STATUS=${reloading.status()}`);
    } catch (failure) {
      reloading.failed(failure);
      tell('READY=1', 'STATUS=The policy was not read again, since it has a fault; the one before it stays.');
    }
  }
}
