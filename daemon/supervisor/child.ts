/**
 * A child of the supervisor: one process, from its start to its end.
 *
 * The stored fds are passed to it from number 3 on, as systemd does. They are passed in the order of their
 * numbers in this process, so that each is moved to a lower number and the start of a child needs no
 * additional fds. A child is stopped by SIGTERM, or by SIGABRT if its watchdog has expired, and by SIGKILL
 * after a timeout. The watchdog expires if the child has sent READY=1 and then sends no WATCHDOG=1 for the
 * watchdog's time.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { childEnvironment } from './environment.js';
import type { StoredFd } from './fd-store.js';
import type { Notification } from './notification.js';
import type { Settings } from './settings.js';

/** The program to run, and its arguments. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

/** How a child ended. With `failure`, it could not be started. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly failure?: Error;
}

export class Child {
  /** Undefined if it could not be started. */
  readonly pid: number | undefined;
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess | undefined;
  readonly #settings: Settings;
  readonly #onWatchdogTimeout: () => void;
  #readySince: number | undefined;
  #killTimer: NodeJS.Timeout | undefined;
  #watchdogTimer: NodeJS.Timeout | undefined;
  #hasExited = false;

  /**
   * @param fds Borrowed: the child has duplicates when this returns.
   * @param onWatchdogTimeout Called when the watchdog aborts the child.
   */
  constructor(
    command: Command,
    notifySocket: string,
    fds: readonly StoredFd[],
    settings: Settings,
    onWatchdogTimeout: () => void,
  ) {
    this.#settings = settings;
    this.#onWatchdogTimeout = onWatchdogTimeout;
    const stored = [...fds].sort((one, other) => one.fd.fd - other.fd.fd);
    try {
      this.#process = spawn(command.file, command.args, {
        stdio: ['inherit', 'inherit', 'inherit', ...stored.map(({ fd }) => fd.fd)],
        env: childEnvironment(notifySocket, stored, settings),
      });
    } catch (failure) {
      this.exited = Promise.resolve({ code: null, signal: null, failure: failure as Error });
      return;
    }
    const started = this.#process;
    this.pid = started.pid;
    this.exited = new Promise((resolve) => {
      // After a failed start Node.js may also emit 'exit'; the first event decides.
      started.on('error', (failure) => resolve({ code: null, signal: null, failure }));
      started.once('exit', (code, signal) => {
        this.#hasExited = true;
        clearTimeout(this.#killTimer);
        clearTimeout(this.#watchdogTimer);
        resolve({ code, signal });
      });
    });
  }

  /** The time since it became ready, in ms; undefined if it never became ready. */
  get readyMs(): number | undefined {
    return this.#readySince === undefined ? undefined : performance.now() - this.#readySince;
  }

  /** Processes a notification of the child. After the child's end it is ignored. */
  onNotification(notification: Notification): void {
    if (this.#hasExited) return;
    const ready = notification.get('READY') === '1';
    if (ready) this.#readySince ??= performance.now();
    if (notification.get('WATCHDOG') === 'trigger') this.#abort();
    else if (ready || notification.get('WATCHDOG') === '1') this.#restartWatchdog();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Sends SIGTERM, and SIGKILL after the stop timeout. A second call has no effect. */
  stop(): void {
    this.#end('SIGTERM', this.#settings.stopMs);
  }

  #abort(): void {
    this.#onWatchdogTimeout();
    this.#end('SIGABRT', this.#settings.abortMs);
  }

  #end(signal: NodeJS.Signals, killAfterMs: number): void {
    if (this.#killTimer || this.#hasExited) return;
    clearTimeout(this.#watchdogTimer);
    this.signal(signal);
    this.#killTimer = setTimeout(() => this.signal('SIGKILL'), killAfterMs);
  }

  #restartWatchdog(): void {
    const { watchdogMs } = this.#settings;
    if (watchdogMs === undefined || this.#readySince === undefined || this.#killTimer) return;
    clearTimeout(this.#watchdogTimer);
    this.#watchdogTimer = setTimeout(() => this.#abort(), watchdogMs);
  }
}
