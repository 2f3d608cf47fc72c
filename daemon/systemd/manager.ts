/**
 * The service manager that started this process, and what it is told: that the daemon serves, reads its policy again,
 * stops; what it has to do (status.ts); and that it lives (watchdog.ts).
 *
 * READY=1 means that the device is open, and that all sockets are served. A manager that does not listen is no reason to
 * leave the clients: it is logged, and everything goes on. Without a manager nothing is sent, and nothing listens.
 */
import type { pino } from 'pino';
import type { Domain } from '../memory/domain.js';
import { Notifier } from './notify.js';
import { StatusLine } from './status.js';
import { Watchdog, watchdogTime } from './watchdog.js';

export class Manager {
  readonly #notifier: Notifier | undefined;
  readonly #log: pino.Logger;
  /** How long it waits for a sign of life, in milliseconds; undefined where it does not watch. */
  readonly #time: number | undefined;
  #status: StatusLine | undefined;
  #watchdog: Watchdog | undefined;

  private constructor(notifier: Notifier | undefined, time: number | undefined, log: pino.Logger) {
    this.#notifier = notifier;
    this.#time = time;
    this.#log = log;
  }

  /** Takes its variables out of `env`. @throws Error where they make no sense. */
  static async fromEnvironment(env: NodeJS.ProcessEnv, log: pino.Logger): Promise<Manager> {
    const time = watchdogTime(env);
    return new Manager(await Notifier.fromEnvironment(env), time, log);
  }

  /** Of the moment; empty before the daemon serves. */
  get status(): string {
    return this.#status?.text ?? '';
  }

  /** The daemon serves. From now on it is told what changes, and fed. */
  ready(domain: Domain): void {
    if (!this.#notifier) return;
    this.#status = new StatusLine(domain, (line) => this.tell(`STATUS=${line}`));
    this.tell('READY=1', `STATUS=${this.status}`);
    if (this.#time === undefined) return;
    this.#watchdog = new Watchdog(this.#time, {
      answer: () => domain.device.answer(),
      feed: () => this.tell('WATCHDOG=1'),
      unanswered: (milliseconds) => {
        const text = 'the device has not answered: the watchdog is not fed until it does';
        this.#log.error({ milliseconds: Math.round(milliseconds) }, text);
      },
      failed: (err) =>
        this.#log.error({ err }, 'the device answered with a failure: the watchdog is not fed'),
    });
  }

  /** The daemon stops, which the manager's watchdog does not watch. */
  stopping(): void {
    this.#watchdog?.close();
    this.#status?.close();
    this.tell('STOPPING=1');
  }

  tell(...assignments: string[]): void {
    try {
      this.#notifier?.send(...assignments);
    } catch (failure) {
      this.#log.warn({ err: failure }, 'the service manager was not told');
    }
  }
}
