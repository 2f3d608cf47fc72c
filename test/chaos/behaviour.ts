/**
 * What an attacker can do: one file of behaviours/ for each, listed in behaviours/index.ts.
 *
 * plan() draws everything that is left to chance, as JSON, in the harness; perform() does it, in an
 * attacker's process, where it may be killed or stopped at any moment. What came of it is one word for the
 * report, such as the code of a refusal: it depends on timing and is no part of the log of actions. An action
 * takes a second or so at most; what shall stay longer is left on the stage.
 */
import type { Random } from './random.js';
import type { Stage } from './stage.js';

/** What a plan comes to. */
export type Params = Readonly<Record<string, string | number | boolean>>;

/** What an attacker must be, or the run must have, for a behaviour to make sense. */
export type Need =
  | 'others' // victims are other users
  | 'importer' // the daemon lets this user import memory
  | 'confined' // the policy lets it have next to nothing
  | 'refused' // the policy does not let it connect
  | 'fake'; // the scripted layer, with its kinds

export interface Behaviour<P extends Params = Params> {
  /** In the log and the report; the file's name. */
  readonly name: string;
  /** How often it is drawn, against the others; 1 to 10. */
  readonly weight: number;
  readonly needs?: readonly Need[];
  plan(random: Random): P;
  /**
   * @param random for bytes; of this action alone.
   * @returns what came of it, in a word.
   * @throws Breach where the daemon gave what it must not give; VkmemError, or Error where it hung up, for
   *   what the daemon may well do.
   */
  perform(stage: Stage, params: P, random: Random): Promise<string>;
}

/** An invariant was broken: the run fails. */
export class Breach extends Error {}

/** What befalls the attacker during an action, counted from its beginning. */
export interface Fate {
  readonly afterMs: number;
  readonly signal: 'SIGKILL' | 'SIGSTOP';
  /** SIGSTOP: for so long, then SIGCONT, or SIGKILL where `end` says so. */
  readonly forMs?: number;
  readonly end?: boolean;
}

/** One behaviour, once: what stands in the log. */
export interface Action {
  /** Who: attackers are numbered. */
  readonly actor: string;
  /** Its how many-th, from 1. */
  readonly number: number;
  readonly name: string;
  readonly params: Params;
  readonly fate?: Fate;
}
