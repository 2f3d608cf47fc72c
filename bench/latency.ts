/**
 * Latencies: many measurements of one operation, in rounds, and their summary.
 *
 * Rounds of different operations are interleaved, so that what disturbs the machine disturbs all of them. A
 * ratio is therefore made round by round and its median taken; a quantile over all rounds would mix quiet and
 * busy ones. All figures are microseconds.
 */

/** What is reported of one operation. */
export interface Figures {
  readonly p50: number;
  readonly p99: number;
  readonly iterations: number;
}

/** The value below which `share` (0 to 1) of the values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  if (value === undefined) throw new Error('a quantile of nothing');
  return value;
}

const rounded = (value: number): number => Math.round(value * 100) / 100;

export class Latencies {
  readonly #rounds: (readonly number[])[] = [];

  /** @param microseconds of one round. */
  add(microseconds: readonly number[]): void {
    this.#rounds.push(microseconds);
  }

  /** The medians over the rounds of each round's quantiles. */
  get figures(): Figures {
    return {
      p50: rounded(quantile(this.#each(0.5), 0.5)),
      p99: rounded(quantile(this.#each(0.99), 0.5)),
      iterations: this.#rounds.reduce((sum, round) => sum + round.length, 0),
    };
  }

  /** The median over the rounds of this operation's p50 to the other's in the same round. */
  ratioTo(floor: Latencies): number {
    const floors = floor.#each(0.5);
    const ratios = this.#each(0.5).map((p50, round) => p50 / (floors[round] ?? Number.NaN));
    return rounded(quantile(ratios, 0.5));
  }

  #each(share: number): number[] {
    return this.#rounds.map((round) => quantile(round, share));
  }
}

/** Runs an operation again and again, one at a time. @returns microseconds of each. */
export async function measure(iterations: number, operation: () => Promise<void>): Promise<number[]> {
  for (let i = 0; i < iterations / 10; i += 1) await operation();
  const microseconds: number[] = [];
  for (let i = 0; i < iterations; i += 1) {
    const begun = process.hrtime.bigint();
    await operation();
    microseconds.push(Number(process.hrtime.bigint() - begun) / 1000);
  }
  return microseconds;
}
