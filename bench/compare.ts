/** Whether ratios are worse than those of an earlier run. */
import type { Report } from './report.js';
import { estimate, rounded } from './samples.js';
import type { Measured } from './start.js';
import { measuredRatios, type RatioName, startRatios } from './starts.js';

/** A ratio that is 15 % worse, less what a measurement may be off (2.5 %): so one of 15 % is found. */
const LIMIT = 1.125;

type Ratios = { readonly [name in RatioName]?: number };

export interface Verdict {
  readonly name: RatioName;
  readonly base: number;
  readonly now: number;
  /** now by base: 1.2 is 20 % worse. */
  readonly change: number;
  /** The standard error of now, as a share. */
  readonly error: number;
  readonly worse: boolean;
}

/**
 * The earlier report.
 * @param names Of the ratios to compare, of which it has some.
 * @throws Error where it is not one, or is of --quick.
 */
export function baseOf(report: unknown, names: readonly RatioName[]): Report {
  const { ratios, quick, machine } = (report ?? {}) as Partial<Report>;
  const known = names.filter((name) => ratios?.[name] !== undefined);
  if (known.length === 0) throw new Error(`it has none of the ratios ${names.join(', ')}`);
  for (const name of known) {
    const ratio: unknown = ratios?.[name];
    if (typeof ratio !== 'number' || !(ratio > 0)) throw new Error(`ratios.${name} is not a positive number`);
  }
  if (!machine) throw new Error('it does not name the machine');
  if (quick) throw new Error('it was measured with --quick, which measures too little');
  return report as Report;
}

/** In what this run differs from the base: a different ratio may be due to that. */
export function differences(base: Report, now: Pick<Report, 'device' | 'machine'>): string[] {
  const of = ({ device, machine: { cpu, kernel, node } }: Pick<Report, 'device' | 'machine'>) =>
    ({ device, cpu, kernel, node }) as const;
  const [before, after] = [of(base), of(now)];
  return (Object.keys(before) as (keyof typeof before)[])
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name} is ${after[name]}, of the base ${before[name]}`);
}

/** Of the ratios that both have. */
export const verdictsOf = (base: Ratios, starts: readonly Measured[]): Verdict[] =>
  measuredRatios(starts).flatMap((name) => {
    const before = base[name];
    if (before === undefined) return [];
    const { value: now, error } = estimate(startRatios(starts, name));
    const change = now / before;
    return [
      {
        name,
        base: before,
        now: rounded(now),
        change: rounded(change),
        error: rounded(error),
        worse: change >= LIMIT,
      },
    ];
  });

/** Whether a ratio is too near the limit for what its starts differ. */
export const undecided = (verdicts: readonly Verdict[]): boolean =>
  verdicts.some(({ change, error }) => Math.abs(change - LIMIT) < 2 * error * change);

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

export function verdictLines(verdicts: readonly Verdict[]): string[] {
  return verdicts.map(({ name, base, now, change, error, worse }) => {
    const how = change >= 1 ? `${percent(change - 1)} worse` : `${percent(1 - change)} better`;
    return `${worse ? 'WORSE' : 'ok   '} ${name}: ${now.toFixed(2)}, base ${base.toFixed(2)}: ${how} (+- ${percent(error)})`;
  });
}
