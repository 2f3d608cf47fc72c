/**
 * Reports faults at a bounded rate, since clients may cause them: the first ones of each kind in a minute, and how many
 * more there were. A kind is the text without its numbers.
 */
import type { Reporter } from './reporter.js';

const PER_MINUTE = 10;
const MINUTE_MS = 60_000;
/** More kinds than the daemon has; a text that a client chooses would otherwise make any number of them. */
const MAX_KINDS = 200;
const OTHERS = 'other faults';
const NUMBERS = /\b[\da-f]{8,}\b|\d+/g;

export class PacedFaults implements Disposable {
  readonly #report: Reporter['fault'];
  readonly #ofKind = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(report: Reporter['fault']) {
    this.#report = report;
  }

  readonly fault = (what: string, cause: unknown): void => {
    const own = what.replaceAll(NUMBERS, 'N');
    const kind = this.#ofKind.has(own) || this.#ofKind.size < MAX_KINDS ? own : OTHERS;
    const count = (this.#ofKind.get(kind) ?? 0) + 1;
    this.#ofKind.set(kind, count);
    this.#timer ??= setTimeout(() => this.#end(), MINUTE_MS).unref();
    if (count <= PER_MINUTE) this.#report(what, cause);
  };

  /** Says what was left out, and begins anew. */
  #end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [kind, count] of this.#ofKind) {
      const more = count - PER_MINUTE;
      if (more > 0)
        this.#report(`${kind}: ${more} more times within a minute, which were not logged`, undefined);
    }
    this.#ofKind.clear();
  }

  [Symbol.dispose](): void {
    this.#end();
  }
}
