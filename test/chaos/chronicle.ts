/**
 * The record of a run: the actions, their outcomes, and the violated invariants.
 *
 * The log of actions of each actor is the same for the same seed; the order between actors, and the outcomes,
 * depend on the machine.
 */
import { type Action, Breach } from './behaviour.js';

const LAST = 20;

/** The outcomes of one behaviour, with their counts. */
export type Outcomes = Readonly<Record<string, number>>;

export class Chronicle {
  /** Violated invariants, as text. */
  readonly breaches: string[] = [];
  /** Latencies above their limits, as text. A busy machine causes them too. */
  readonly slow: string[] = [];
  /** Resolves with the first violation that ends the run. */
  readonly broken: Promise<void>;
  readonly #log: Action[] | undefined;
  readonly #outcomes = new Map<string, Map<string, number>>();
  readonly #last: string[] = [];
  readonly #began = Date.now();
  #actions = 0;
  #brokenOff = false;
  #resolve = (): void => {};
  /** The error of the harness itself. */
  #failure: Error | undefined;

  /** @param logged whether the whole log is kept. */
  constructor(logged: boolean) {
    this.#log = logged ? [] : undefined;
    this.broken = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Whether the run ends early. */
  get brokenOff(): boolean {
    return this.#brokenOff;
  }

  get actions(): number {
    return this.#actions;
  }

  began(action: Action): void {
    this.#actions += 1;
    this.#log?.push(action);
    this.#note(JSON.stringify(action));
    if (['daemon', 'driver', 'front'].includes(action.actor)) this.#count(action, 'done');
  }

  /** @param outcome undefined if the attacker was killed meanwhile. */
  ended(action: Action, outcome: string | undefined): void {
    const stopped = action.fate?.signal === 'SIGSTOP' && !action.fate.end ? ', after a stop' : '';
    this.#count(action, `${outcome ?? 'killed'}${stopped}`);
  }

  /** An invariant is violated; the run continues. */
  record(breach: string): void {
    this.breaches.push(breach);
    this.#note(`broken: ${breach}`);
  }

  /** A latency is above its limit; the run continues. */
  recordSlow(slow: string): void {
    this.slow.push(slow);
    this.#note(`slow: ${slow}`);
  }

  /** An invariant is violated; the run ends. */
  fail(breach: string): void {
    this.record(breach);
    this.#end();
  }

  /** A Breach, or an error of the harness itself: the run ends. */
  broke(reason: unknown): void {
    if (reason instanceof Breach) this.record(reason.message);
    else this.#failure ??= reason instanceof Error ? reason : new Error(String(reason));
    this.#end();
  }

  /** @throws the error of the harness itself. */
  requireSound(): void {
    if (this.#failure) throw this.#failure;
  }

  get outcomes(): Record<string, Outcomes> {
    const all = [...this.#outcomes].sort(([one], [other]) => (one < other ? -1 : 1));
    return Object.fromEntries(all.map(([name, counts]) => [name, Object.fromEntries([...counts].sort())]));
  }

  /** The latest actions, oldest first, with seconds since the start. */
  get lastActions(): readonly string[] {
    return this.#last;
  }

  /** Every action, actor by actor, one JSON object a line. */
  log(): string {
    const log = [...(this.#log ?? [])].sort(
      (one, other) => one.actor.localeCompare(other.actor) || one.number - other.number,
    );
    return log.map((action) => `${JSON.stringify(action)}\n`).join('');
  }

  #end(): void {
    this.#brokenOff = true;
    this.#resolve();
  }

  #count({ name }: Action, outcome: string): void {
    const counts = this.#outcomes.get(name) ?? new Map<string, number>();
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    this.#outcomes.set(name, counts);
  }

  #note(text: string): void {
    const seconds = ((Date.now() - this.#began) / 1000).toFixed(1);
    this.#last.push(`${seconds} s ${text}`);
    if (this.#last.length > LAST) this.#last.shift();
  }
}
