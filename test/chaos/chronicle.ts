/**
 * Chronicle: what was done, what came of it, and what must not have been.
 *
 * The log of actions is the same whenever the seed is, actor by actor; in which order those of different
 * actors come, and what came of them, is the machine's.
 */
import { type Action, Breach } from './behaviour.js';

const LAST = 20;

/** What came of one behaviour: how often which outcome. */
export type Outcomes = Readonly<Record<string, number>>;

export class Chronicle {
  /** Invariants that were broken, in words. */
  readonly breaches: string[] = [];
  /** Resolves with the first that ends the run. */
  readonly broken: Promise<void>;
  readonly #log: Action[] | undefined;
  readonly #outcomes = new Map<string, Map<string, number>>();
  readonly #last: string[] = [];
  readonly #began = Date.now();
  #actions = 0;
  #brokenOff = false;
  #resolve = (): void => {};
  /** What the harness itself failed by. */
  #failure: Error | undefined;

  /** @param logged whether the whole log is kept. */
  constructor(logged: boolean) {
    this.#log = logged ? [] : undefined;
    this.broken = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Whether the run ends before its time. */
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
    if (action.actor === 'daemon' || action.actor === 'driver') this.#count(action, 'done');
  }

  /** @param outcome undefined where the attacker was killed meanwhile. */
  ended(action: Action, outcome: string | undefined): void {
    const stopped = action.fate?.signal === 'SIGSTOP' && !action.fate.end ? ', after a stop' : '';
    this.#count(action, `${outcome ?? 'killed'}${stopped}`);
  }

  /** An invariant does not hold; the run goes on. */
  record(breach: string): void {
    this.breaches.push(breach);
    this.#note(`broken: ${breach}`);
  }

  /** The same; the run ends. */
  fail(breach: string): void {
    this.record(breach);
    this.#end();
  }

  /** A Breach, or what the harness itself failed by: the run ends. */
  broke(reason: unknown): void {
    if (reason instanceof Breach) this.record(reason.message);
    else this.#failure ??= reason instanceof Error ? reason : new Error(String(reason));
    this.#end();
  }

  /** @throws what the harness itself failed by. */
  requireSound(): void {
    if (this.#failure) throw this.#failure;
  }

  get outcomes(): Record<string, Outcomes> {
    const all = [...this.#outcomes].sort(([one], [other]) => (one < other ? -1 : 1));
    return Object.fromEntries(all.map(([name, counts]) => [name, Object.fromEntries([...counts].sort())]));
  }

  /** What began last, oldest first, with seconds since the beginning. */
  get lastActions(): readonly string[] {
    return this.#last;
  }

  /** Every action, actor by actor, one JSON a line. */
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
