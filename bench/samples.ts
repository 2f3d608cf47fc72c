/**
 * Samples of one operation, and the figures of many of them.
 *
 * A run has several starts of daemon and client, and a start has many short rounds. In a round each floor and
 * each operation runs once for a few milliseconds, so what disturbs the machine disturbs all of them. The
 * ratio of a start is that of the quieter rounds: the first quartile of their p50, of the operation to that of
 * the floor. The ratio of a run is the median over its starts.
 *
 * Why starts are repeated: one start differs from the next by some percent (memory layout, what V8 compiled
 * when), and another program that runs for some seconds disturbs a start as a whole, by up to a half; no
 * number of rounds evens that out.
 *
 * All times are microseconds.
 */

/** One operation in one round: some cycles back to back. Every cycle ends with an answered request. */
export interface Sample {
  /** Of each cycle. */
  readonly latencies: readonly number[];
  /** Wall time of all cycles together, back to back. */
  readonly total: number;
  /** Processor time of all cycles together, by process; the floor's server counts as the daemon. */
  readonly client: number;
  readonly daemon: number;
}

/** One round in one start, made smaller: a run has many of them. Each figure is of one cycle. */
export interface Round {
  readonly p50: number;
  readonly p99: number;
  /** The mean: total by number. */
  readonly mean: number;
  readonly client: number;
  readonly daemon: number;
  readonly iterations: number;
}

/** What is reported of one operation or floor. Each figure is the median over the rounds of all starts. */
export interface Figures {
  readonly p50: number;
  readonly p99: number;
  /** Of cycles back to back: their wall time divided by their number. */
  readonly mean: number;
  /** The interquartile range of the rounds' p50, as a share of p50: 0.1 is 10 %. */
  readonly spread: number;
  /** Processor time of a cycle. The floor's server is its daemon. */
  readonly processor: { readonly client: number; readonly daemon: number };
  readonly iterations: number;
}

/** The value below which `share` (0 to 1) of the values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  if (value === undefined) throw new Error('a quantile of nothing');
  return value;
}

/** The mean of the two middle ones where their number is even. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]];
  if (low === undefined || high === undefined) throw new Error('a median of nothing');
  return (low + high) / 2;
}

/** What many latencies are. */
export interface Distribution {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly count: number;
}

export const distributionOf = (latencies: readonly number[]): Distribution => ({
  p50: rounded(quantile(latencies, 0.5)),
  p99: rounded(quantile(latencies, 0.99)),
  max: rounded(quantile(latencies, 1)),
  count: latencies.length,
});

export const rounded = (value: number): number => Math.round(value * 1000) / 1000;

export function roundOf({ latencies, total, client, daemon }: Sample): Round {
  const iterations = latencies.length;
  return {
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    mean: total / iterations,
    client: client / iterations,
    daemon: daemon / iterations,
    iterations,
  };
}

export function figuresOf(rounds: readonly Round[]): Figures {
  const all = (name: keyof Round) => rounds.map((round) => round[name]);
  const p50 = median(all('p50'));
  return {
    p50: rounded(p50),
    p99: rounded(median(all('p99'))),
    mean: rounded(median(all('mean'))),
    spread: rounded((quantile(all('p50'), 0.75) - quantile(all('p50'), 0.25)) / p50),
    processor: { client: rounded(median(all('client'))), daemon: rounded(median(all('daemon'))) },
    iterations: all('iterations').reduce((sum, each) => sum + each, 0),
  };
}

/** The ratio of one start: the operation's p50 to its floor's, each in the quieter rounds. */
export function ratioOf(operation: readonly Round[], floor: readonly Round[]): number {
  const quiet = (rounds: readonly Round[]) =>
    quantile(
      rounds.map(({ p50 }) => p50),
      0.25,
    );
  return quiet(operation) / quiet(floor);
}

/**
 * The median, and its standard error as a share of it, from the interquartile range (for a normal
 * distribution). Values that were disturbed move the median little, but make the error large.
 */
export function estimate(values: readonly number[]): { value: number; error: number } {
  const value = median(values);
  const deviation = (quantile(values, 0.75) - quantile(values, 0.25)) / 1.349;
  return { value, error: (1.2533 * deviation) / Math.sqrt(values.length) / value };
}
