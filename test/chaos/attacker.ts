/**
 * The harness's side of an attacker: a process of an untrusted user that executes its plan. Where the plan
 * kills it, it is started again.
 */
import { type Action, Breach, type Fate } from './behaviour.js';
import { Companion, programOf, type User } from './companion.js';
import type { Gate } from './gate.js';
import type { Guardian } from './guardian.js';
import type { FromAttacker, ToAttacker } from './messages.js';
import type { Plan } from './plan.js';
import { rest } from './rest.js';
import type { Scene } from './stage.js';

/** The maximum time of an action, on a busy machine; much longer than any is planned to take. */
const MAX_MS = 30_000;

export interface AttackerEvents {
  began(action: Action): void;
  /** @param outcome undefined where it was killed before. */
  ended(action: Action, outcome: string | undefined): void;
  /** @param reason a Breach, or an error of the harness. */
  failed(reason: Error): void;
}

export interface AttackerSetting {
  readonly guardian: Guardian;
  readonly user: User | undefined;
  readonly scene: Scene;
  readonly seed: string;
  readonly gate: Gate;
  readonly events: AttackerEvents;
}

/** An action in progress. */
interface Doing {
  readonly number: number;
  begun(): void;
  done(outcome: string): void;
}

export class Attacker {
  readonly #setting: AttackerSetting;
  readonly #plan: Plan;
  #process: Companion | undefined;
  #doing: Doing | undefined;
  #stopping = false;

  constructor(plan: Plan, setting: AttackerSetting) {
    this.#plan = plan;
    this.#setting = setting;
  }

  get pid(): number | undefined {
    return this.#process?.alive ? this.#process.pid : undefined;
  }

  /**
   * Acts until stop(), or `max` times.
   * @throws Breach; Error if the harness itself failed.
   */
  async run(max = Number.POSITIVE_INFINITY): Promise<void> {
    for (let acted = 0; acted < max && !this.#stopping && !this.#plan.empty; acted += 1) {
      await this.#setting.gate.pass(() => this.#act(this.#plan.next()));
    }
  }

  /** Stops after the action in progress. */
  stop(): void {
    this.#stopping = true;
  }

  /** Kills it at once. */
  async kill(): Promise<void> {
    this.#process?.signal('SIGKILL');
    await this.#process?.ended;
  }

  async #act(action: Action): Promise<void> {
    if (this.#stopping) return;
    const companion = this.#process?.alive ? this.#process : await this.#start();
    if (!companion) return;
    const { events } = this.#setting;
    events.began(action);
    let begun = (): void => {};
    const begins = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const outcome = new Promise<string | undefined>((resolve) => {
      this.#doing = { number: action.number, begun, done: resolve };
      void companion.ended.then(() => {
        begun();
        resolve(undefined);
      });
    });
    companion.send<ToAttacker>({ action });
    const late = new AbortController();
    try {
      await Promise.race([
        Promise.all([outcome, action.fate && begins.then(() => meet(companion, action.fate as Fate))]),
        tooLate(action, late.signal),
      ]);
      const came = await outcome;
      if (came === undefined && !action.fate && !this.#stopping) {
        throw new Error(`an attacker was ended by ${action.name}: ${companion.errors}`);
      }
      events.ended(action, came);
    } finally {
      late.abort();
      this.#doing = undefined;
    }
  }

  /** Resolves to undefined if it was killed during its start. */
  async #start(): Promise<Companion | undefined> {
    const { guardian, user, scene, seed } = this.#setting;
    const companion = new Companion(guardian, { args: [programOf('attacker')], user, idle: true });
    this.#process = companion;
    const ready = new Promise<boolean>((resolve) => {
      companion.listen<FromAttacker>((message) => {
        if ('ready' in message) resolve(true);
        else this.#hear(message);
      });
      void companion.ended.then(() => resolve(false));
    });
    if (!(await ready)) {
      if (this.#stopping) return undefined;
      throw new Error(`an attacker did not start: ${companion.errors}`);
    }
    companion.send<ToAttacker>({ scene, seed });
    return companion;
  }

  #hear(message: Exclude<FromAttacker, { ready: true }>): void {
    const { events } = this.#setting;
    if ('failed' in message) {
      events.failed(new Error(`an attacker failed: ${message.failed}`));
      return;
    }
    if ('breach' in message) events.failed(new Breach(message.breach));
    // Messages of a process that was killed meanwhile belong to an earlier action.
    const number = 'begun' in message ? message.begun : message.done;
    if (this.#doing?.number !== number) return;
    if ('begun' in message) this.#doing.begun();
    else this.#doing.done('outcome' in message ? message.outcome : 'a breach');
  }
}

/** Executes the fate of the plan; resolves when it is over. */
async function meet(companion: Companion, { afterMs, signal, forMs = 0, end = false }: Fate): Promise<void> {
  await rest(afterMs);
  companion.signal(signal);
  if (signal === 'SIGSTOP') {
    await rest(forMs);
    companion.signal(end ? 'SIGKILL' : 'SIGCONT');
  }
  if (signal === 'SIGKILL' || end) await companion.ended;
}

/** Rejects when the action has taken too long; never resolves. */
function tooLate({ name, actor, number }: Action, signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => {
      reject(new Breach(`${name} (${actor}, ${number}) had no answer for ${MAX_MS} ms`));
    }, MAX_MS);
    signal.addEventListener('abort', () => clearTimeout(timer));
  });
}
