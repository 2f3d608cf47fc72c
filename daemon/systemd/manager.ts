/**
 * The service manager that started this process. The daemon notifies it when it serves, reloads its policy or
 * stops, sends its status (status.ts), and feeds its watchdog (watchdog.ts).
 *
 * READY=1 means that the device is open and all sockets are served. If the manager does not receive a
 * notification, that is logged, and the daemon continues to serve. Without a manager nothing is sent and
 * nothing is subscribed.
 */
import { DisposableStack } from '@vkmemd/proto';
import type { pino } from 'pino';
import { Notifier } from './notify.js';
import { StatusLine, type StatusSources } from './status.js';
import { Watchdog, watchdogTime } from './watchdog.js';

/** The parts of the daemon that the manager is notified of. */
export interface ServiceSources extends StatusSources {
  readonly device: StatusSources['device'] & {
    /** Resolves when the device's threads respond (vulkan/device.ts). */
    answer(): Promise<unknown>;
  };
}

export class Manager {
  readonly #notifier: Notifier | undefined;
  readonly #log: pino.Logger;
  /** The watchdog's timeout in milliseconds; undefined if there is none. */
  readonly #watchdogMs: number | undefined;
  /** The status line and the watchdog, which run while the daemon serves. */
  readonly #serving = new DisposableStack();
  #status: StatusLine | undefined;

  private constructor(notifier: Notifier | undefined, watchdogMs: number | undefined, log: pino.Logger) {
    this.#notifier = notifier;
    this.#watchdogMs = watchdogMs;
    this.#log = log;
  }

  /** Removes the manager's variables from `env`. @throws VkmemError INVALID_ARGUMENT if they are invalid. */
  static fromEnvironment(env: NodeJS.ProcessEnv, log: pino.Logger): Manager {
    const watchdogMs = watchdogTime(env);
    return new Manager(Notifier.fromEnvironment(env), watchdogMs, log);
  }

  /** The current status line; empty before ready(). */
  get status(): string {
    return this.#status?.text ?? '';
  }

  /** Called when the daemon serves: sends READY=1, and from now on status changes and WATCHDOG=1. */
  ready(sources: ServiceSources): void {
    if (!this.#notifier) return;
    this.#status = this.#serving.use(new StatusLine(sources, (line) => this.notify(`STATUS=${line}`)));
    this.notify('READY=1', `STATUS=${this.status}`);
    if (this.#watchdogMs === undefined) return;
    const watchdog = new Watchdog(this.#watchdogMs, {
      answer: () => sources.device.answer(),
      feed: () => this.notify('WATCHDOG=1'),
      unanswered: (milliseconds) => {
        const text = 'the device does not respond: the watchdog is not fed until it does';
        this.#log.error({ milliseconds: Math.round(milliseconds) }, text);
      },
      failed: (err) => this.#log.error({ err }, 'the query of the device failed: the watchdog is not fed'),
    });
    this.#serving.use(watchdog);
  }

  /** Called when the daemon stops: sends STOPPING=1, which also ends the manager's watchdog. */
  stopping(): void {
    this.#serving.dispose();
    this.notify('STOPPING=1');
  }

  /** Sends one notification (sd_notify), such as notify('RELOADING=1'). */
  notify(...assignments: string[]): void {
    try {
      this.#notifier?.send(...assignments);
    } catch (failure) {
      this.#log.warn({ err: failure }, 'the service manager did not receive a notification');
    }
  }
}
