/**
 * SIGHUP: the policy is reloaded, and the service manager is notified when the reload begins and ends
 * (sd_notify's RELOADING=1 and READY=1, which Type=notify-reload waits for). A failed reload also ends with
 * READY=1: the policy in force stays, and the status line reports the failure.
 *
 * A SIGHUP that arrives before the daemon serves is deferred until then, because the policy may have been
 * read already. One that arrives while the daemon stops is ignored. Without a handler SIGHUP would end the
 * process.
 */

/** The functions that a reload calls, once the daemon serves. */
export interface ReloadHandlers {
  reload(): Promise<unknown>;
  /** The reload failed. */
  failed(failure: unknown): void;
  /** Notifies the service manager, where there is one. */
  notify(...assignments: string[]): void;
  /** The status line to send after a successful reload. */
  status(): string;
}

export class SighupHandler implements Disposable {
  #handlers: ReloadHandlers | undefined;
  #deferred = false;

  constructor() {
    process.on('SIGHUP', () => {
      if (this.#handlers) void this.#reload(this.#handlers);
      else this.#deferred = true;
    });
  }

  /**
   * Called when the daemon serves: from now on each SIGHUP reloads the policy. A deferred one does so at
   * once.
   */
  serve(handlers: ReloadHandlers): void {
    this.#handlers = handlers;
    if (this.#deferred) void this.#reload(handlers);
  }

  /** Ignores every later SIGHUP. The manager receives no further notification of a reload under way. */
  [Symbol.dispose](): void {
    this.#handlers = undefined;
  }

  async #reload(handlers: ReloadHandlers): Promise<void> {
    const notify = (...assignments: string[]) => {
      if (this.#handlers) handlers.notify(...assignments);
    };
    // MONOTONIC_USEC is CLOCK_MONOTONIC, which hrtime reads too.
    notify('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    try {
      await handlers.reload();
      notify('READY=1', `STATUS=${handlers.status()}`);
    } catch (failure) {
      handlers.failed(failure);
      notify(
        'READY=1',
        'STATUS=The reload of the policy failed; the previous policy stays in force. See the log.',
      );
    }
  }
}
