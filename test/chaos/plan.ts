/**
 * Plan: the endless sequence of one attacker's actions, as its seed has it.
 *
 * Nothing in it depends on the machine, on time or on what came of earlier actions.
 */
import type { Action, Behaviour, Fate, Need } from './behaviour.js';
import { behaviours } from './behaviours/index.js';
import type { Random } from './random.js';

/** How many actions end in a kill, and how many are stopped for a while. */
const KILLED = 0.12;
const STOPPED = 0.08;
const MAX_STOPPED_MS = 1000;
/** What somebody does who may not connect, beside what it alone does. */
const OUTSIDE = ['connect-storm', 'garbage', 'half-handshake', 'lengths'];

export class Plan {
  readonly #actor: string;
  readonly #random: Random;
  readonly #repertoire: readonly Behaviour[];
  #number = 0;

  /**
   * @param has what of the behaviours' needs is there.
   * @param only names of behaviours; all of them where it is empty.
   */
  constructor(actor: string, random: Random, has: ReadonlySet<Need>, only: readonly string[] = []) {
    this.#actor = actor;
    this.#random = random.fork(actor);
    this.#repertoire = behaviours.filter(
      ({ name, needs = [] }) =>
        needs.every((need) => has.has(need)) &&
        (only.length === 0 || only.includes(name)) &&
        // Who may not connect is refused whatever it says: it says as much as it takes to know that.
        (!has.has('refused') || needs.includes('refused') || OUTSIDE.includes(name)),
    );
  }

  /** Whether there is nothing that it could do. */
  get empty(): boolean {
    return this.#repertoire.length === 0;
  }

  /** @throws RangeError where it is empty. */
  next(): Action {
    this.#number += 1;
    // Of its own stream, so that a behaviour that draws more shifts nothing behind it.
    const random = this.#random.fork(String(this.#number));
    const { name, plan } = random.weighted(this.#repertoire);
    const params = plan(random.fork(name));
    const fate = fateOf(random);
    return { actor: this.#actor, number: this.#number, name, params, ...(fate && { fate }) };
  }
}

/** Where its bytes come from. */
export const streamOf = ({ actor, number }: Pick<Action, 'actor' | 'number'>): string =>
  `bytes/${actor}/${number}`;

function fateOf(random: Random): Fate | undefined {
  const afterMs = random.pick([0, 1, 2, 5, 10, 20, 50, 100, 200]);
  if (random.chance(KILLED)) return { afterMs, signal: 'SIGKILL' };
  if (!random.chance(STOPPED)) return undefined;
  return { afterMs, signal: 'SIGSTOP', forMs: random.between(20, MAX_STOPPED_MS), end: random.chance(0.5) };
}
