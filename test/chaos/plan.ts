/**
 * The endless sequence of one attacker's actions, as its seed determines.
 *
 * It does not depend on the machine, on time or on the outcomes of earlier actions.
 */
import type { Action, Behaviour, Fate, Need } from './behaviour.js';
import { behaviours } from './behaviours/index.js';
import type { Random } from './random.js';

/** The fraction of actions that end in a kill, and the fraction that are stopped for a while. */
const KILLED = 0.12;
const STOPPED = 0.08;
const MAX_STOPPED_MS = 1000;
/** The behaviours of a user that may not connect, besides its specific ones. */
const OUTSIDE = ['connect-storm', 'garbage', 'half-handshake', 'lengths', 'malformed-frames'];

export class Plan {
  readonly #actor: string;
  readonly #random: Random;
  readonly #repertoire: readonly Behaviour[];
  #number = 0;

  /**
   * @param has the needs that are met.
   * @param only names of behaviours; all if it is empty.
   */
  constructor(actor: string, random: Random, has: ReadonlySet<Need>, only: readonly string[] = []) {
    this.#actor = actor;
    this.#random = random.fork(actor);
    this.#repertoire = behaviours.filter(
      ({ name, needs = [] }) =>
        needs.every((need) => has.has(need)) &&
        (only.length === 0 || only.includes(name)) &&
        // A user that may not connect is refused whatever it sends; it sends enough to check that.
        (!has.has('refused') || needs.includes('refused') || OUTSIDE.includes(name)),
    );
  }

  /** Whether no behaviour is possible. */
  get empty(): boolean {
    return this.#repertoire.length === 0;
  }

  /** @throws RangeError if it is empty. */
  next(): Action {
    this.#number += 1;
    // A separate stream for each action: a behaviour that draws more does not change later actions.
    const random = this.#random.fork(String(this.#number));
    const { name, plan } = random.weighted(this.#repertoire);
    const params = plan(random.fork(name));
    const fate = fateOf(random);
    return { actor: this.#actor, number: this.#number, name, params, ...(fate && { fate }) };
  }
}

/** The source of its bytes. */
export const streamOf = ({ actor, number }: Pick<Action, 'actor' | 'number'>): string =>
  `bytes/${actor}/${number}`;

function fateOf(random: Random): Fate | undefined {
  const afterMs = random.pick([0, 1, 2, 5, 10, 20, 50, 100, 200]);
  if (random.chance(KILLED)) return { afterMs, signal: 'SIGKILL' };
  if (!random.chance(STOPPED)) return undefined;
  return { afterMs, signal: 'SIGSTOP', forMs: random.between(20, MAX_STOPPED_MS), end: random.chance(0.5) };
}
