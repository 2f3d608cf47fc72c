/** Operations that are measured by turns, so that what disturbs the machine disturbs all of them. */
import { type Operation, performed } from './operations/operation.js';
import type { Sample } from './samples.js';

export interface Turn {
  readonly operation: Operation;
  /** In a round. */
  readonly cycles: number;
}

/** @returns the samples of the rounds that count, of each. */
export async function byTurns(
  turns: readonly Turn[],
  { warmUp, rounds }: { readonly warmUp: number; readonly rounds: number },
): Promise<Sample[][]> {
  const all = turns.map((): Sample[] => []);
  for (let round = 0; round < warmUp + rounds; round += 1) {
    for (const [index, { operation, cycles }] of turns.entries()) {
      const sample = await performed(operation, cycles, () => 0);
      if (round >= warmUp) all[index]?.push(sample);
    }
  }
  return all;
}
