/**
 * The cost of work on what clients may have very many of: it is spread over many turns of the event loop, none of
 * which takes more than 20 ms of processor time, and grows linearly. Each case is tried a few times, and the best try
 * counts. A machine that is shared may count the time of others as processor time: on one that is so slow, no turn may
 * take more than a fifth of the whole.
 */
import type { Test } from 'tap';
import { withoutHooks } from './without-hooks.js';

const MAX_TURN_MS = 20;
/** A try may be slowed down by the machine: so many are made until one is quick enough. */
const [TRIES, MAX_TRIES] = [3, 16];
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** The processor time of this thread, in milliseconds. */
function cpuMs(): number {
  const { user, system } = (process as unknown as { threadCpuUsage(): NodeJS.CpuUsage }).threadCpuUsage();
  return (user + system) / 1000;
}

export interface Cost {
  readonly longest: number;
  readonly sum: number;
}

/** The processor time of some work: of its longest turn of the event loop, and in all. */
export const costOf = (work: () => Promise<unknown>): Promise<Cost> =>
  withoutHooks(async () => {
    await turn();
    const begin = cpuMs();
    let [last, longest, over] = [begin, 0, false];
    const watching = (async () => {
      while (!over) {
        await turn();
        const now = cpuMs();
        longest = Math.max(longest, now - last);
        last = now;
      }
    })();
    await work();
    over = true;
    await watching;
    return { longest, sum: last - begin };
  });

/** The least costs of a few tries. */
async function best(tries: () => Promise<Cost>): Promise<Cost> {
  const costs: Cost[] = [];
  const least = (of: keyof Cost) => Math.min(...costs.map((cost) => cost[of]));
  while (costs.length < TRIES || (least('longest') >= MAX_TURN_MS && costs.length < MAX_TRIES))
    costs.push(await tries());
  return { longest: least('longest'), sum: least('sum') };
}

/** Asserts that `times` as many cost at most twice as many times as much, in turns of at most 20 ms. */
export async function linear(
  t: Test,
  count: number,
  cost: (count: number) => Promise<Cost>,
  times = 4,
): Promise<void> {
  const [few, many] = [await best(() => cost(count)), await best(() => cost(times * count))];
  t.comment(`${count}: ${JSON.stringify(few)}, ${times * count}: ${JSON.stringify(many)}`);
  const parts = Math.max(MAX_TURN_MS, many.sum / 5);
  t.ok(many.longest < parts, `the longest turn takes ${many.longest} of ${many.sum} ms`);
  t.ok(many.sum < 2 * times * few.sum + 20, `${few.sum} ms become ${many.sum} ms`);
}
