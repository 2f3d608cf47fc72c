/**
 * The behaviours of attackers: one file of behaviours/ for each, listed in behaviours/index.ts.
 *
 * plan() draws everything random, as JSON, in the harness; perform() executes it in an attacker's process,
 * which may be killed or stopped at any moment. The outcome is one word for the report, such as the code of a
 * refusal: it depends on timing and is not part of the log of actions. An action takes a second or so at
 * most; what must stay open longer is left on the stage.
 */
import type { Random } from './random.js';
import type { Stage } from './stage.js';

/** The parameters of a plan. */
export type Params = Readonly<Record<string, string | number | boolean>>;

/** What a behaviour requires of its attacker or of the run. */
export type Need =
  | 'others' // victims are other users
  | 'importer' // the daemon lets this user import memory
  | 'confined' // the policy lets it have very little
  | 'refused' // the policy does not let it connect
  | 'fake'; // the scripted layer, with its kinds

export interface Behaviour<P extends Params = Params> {
  /** In the log and the report; the file's name. */
  readonly name: string;
  /** How often it is drawn, relative to the others; 1 to 10. */
  readonly weight: number;
  readonly needs?: readonly Need[];
  plan(random: Random): P;
  /**
   * @param random for bytes; used by this action only.
   * @returns the outcome, in a word.
   * @throws Breach if the daemon granted what it must not grant; VkmemError, or Error if it closed the
   * connection, for what the daemon may do.
   */
  perform(stage: Stage, params: P, random: Random): Promise<string>;
}

/** An invariant was violated: the run fails. */
export class Breach extends Error {}

/** What happens to the attacker during an action, timed from its start. */
export interface Fate {
  readonly afterMs: number;
  readonly signal: 'SIGKILL' | 'SIGSTOP';
  /** SIGSTOP: for this time, then SIGCONT, or SIGKILL if `end` is set. */
  readonly forMs?: number;
  readonly end?: boolean;
}

/** One execution of a behaviour: the entry of the log. */
export interface Action {
  /** The number of the attacker. */
  readonly actor: string;
  /** The number of its action, from 1. */
  readonly number: number;
  readonly name: string;
  readonly params: Params;
  readonly fate?: Fate;
}
