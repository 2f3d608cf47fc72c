/** The report: every key with its goal, and what the ratios were made of, as one JSON object. */
import { boundText, isMet } from './goals.js';
import { definitionOf, KEY_NAMES, type KeyName, SOURCES, type Source } from './keys.js';
import type { Machine } from './machine.js';
import type { MeasuredSource, Outcome } from './measurements/measurement.js';
import { FLOORS, type FloorName, OPERATION_NAMES, type OperationName } from './operations/index.js';
import { estimate, type Figures, figuresOf, type Round, rounded } from './samples.js';
import type { Measured } from './start.js';
import { measuredRatios, operationRatios, type RatioName, startRatios } from './starts.js';

const MEASURED = SOURCES.filter((source) => source !== 'starts');

/** The reason of a key that `--only` does not name. */
export const NOT_CHOSEN = 'it was not chosen';

/** A key, measured or not. */
export interface KeyResult {
  readonly value: number | null;
  readonly unit: string;
  /** Such as `<= 4 x`; null without one. */
  readonly goal: string | null;
  readonly moonshot: number | null;
  /** Null without a goal, or where it cannot be decided. */
  readonly met: boolean | null;
  /** Why it was not measured, or with what difference to its goal. */
  readonly reason?: string;
}

type Some<Name extends string, Value> = { readonly [name in Name]?: Value };

/** Times are microseconds. */
export interface Report {
  /** The day, as 2026-12-03. */
  readonly date: string;
  /** The options that it was measured with. */
  readonly options: string;
  /** Each key that was measured. Of those of the starts: p50 to p50 (samples.ts), which `--compare` compares. */
  readonly ratios: Some<KeyName, number>;
  readonly keys: Readonly<Record<KeyName, KeyResult>>;
  /** The same ratio in each start, in their order: how far it varies. */
  readonly ratiosByStart: Some<RatioName, readonly number[]>;
  readonly floor: Some<FloorName, Figures>;
  readonly measured: Some<OperationName, Figures & { readonly vsFloor: number }>;
  /** What the other keys were made of. */
  readonly details: Some<MeasuredSource, Outcome['details']>;
  readonly payloadBytes: number;
  readonly starts: number;
  readonly seconds: number;
  /** Measured with --quick: no figure can be relied on. */
  readonly quick: boolean;
  readonly device: string;
  readonly machine: Machine;
}

export type About = Pick<
  Report,
  'date' | 'options' | 'payloadBytes' | 'seconds' | 'quick' | 'machine' | 'device'
>;

/** What was measured, or why not; of the starts only the latter. */
export type Outcomes = Some<Source, Outcome | string>;

function keyResult(key: KeyName, value: number | undefined, reason: string | undefined): KeyResult {
  const { unit, goal, moonshot } = definitionOf(key);
  const known = value !== undefined && goal !== undefined;
  const met = known ? isMet(goal, value) && (reason === undefined || null) : null;
  return {
    value: value ?? null,
    unit,
    goal: goal ? boundText(goal, unit) : null,
    moonshot: moonshot ?? null,
    met,
    ...(reason === undefined ? {} : { reason }),
  };
}

const some = <Name extends string, Value>(
  names: readonly Name[],
  value: (name: Name) => Value | undefined,
): Some<Name, Value> =>
  Object.fromEntries(
    names.flatMap((name) => {
      const one = value(name);
      return one === undefined ? [] : [[name, one]];
    }),
  ) as Some<Name, Value>;

export function reportOf(starts: readonly Measured[], outcomes: Outcomes, about: About): Report {
  const ratiosByStart = some(measuredRatios(starts), (name) => startRatios(starts, name).map(rounded));
  const ofStarts = some(measuredRatios(starts), (name) => estimate(startRatios(starts, name)).value);
  const values: Partial<Record<KeyName, number>> = { ...ofStarts };
  const reasons: Partial<Record<KeyName, string>> = {};
  for (const key of KEY_NAMES) {
    const { from } = definitionOf(key);
    const outcome = outcomes[from];
    if (typeof outcome === 'string') reasons[key] = outcome;
    else if (outcome) {
      const { [key]: value } = outcome.values;
      const { [key]: reason } = outcome.reasons ?? {};
      if (value !== undefined) values[key] = value;
      if (reason !== undefined) reasons[key] = reason;
    }
  }
  const keys = Object.fromEntries(
    KEY_NAMES.map((key) => {
      const value = values[key];
      const reason = reasons[key] ?? (value === undefined ? NOT_CHOSEN : undefined);
      return [key, keyResult(key, value === undefined ? undefined : rounded(value), reason)];
    }),
  ) as Record<KeyName, KeyResult>;
  const figures = (rounds: (start: Measured) => readonly Round[] | undefined) => {
    const all = starts.flatMap((start) => rounds(start) ?? []);
    return all.length > 0 ? figuresOf(all) : undefined;
  };
  return {
    ...about,
    ratios: some(KEY_NAMES, (key) => keys[key].value ?? undefined),
    keys,
    ratiosByStart,
    floor: some(FLOORS, (name) => figures(({ floor }) => floor[name])),
    measured: some(OPERATION_NAMES, (name) => {
      const measured = figures(({ operations }) => operations[name]);
      const vsFloor = () => rounded(estimate(operationRatios(starts, name)).value);
      return measured && { ...measured, vsFloor: vsFloor() };
    }),
    details: some(MEASURED, (source) => {
      const outcome = outcomes[source];
      return typeof outcome === 'object' ? outcome.details : undefined;
    }),
    starts: starts.length,
  };
}

/** The keys whose goal was missed. */
export const missed = ({ keys }: Pick<Report, 'keys'>): KeyName[] =>
  KEY_NAMES.filter((key) => keys[key].met === false);
