/**
 * Whether a claim costs more where a daemon holds very much: claims of two daemons by turns, of which one holds little
 * and the other much, and the memory of the latter for each that it holds.
 */
import { AsyncDisposableStack } from '@vkmemd/proto';
import type { BenchDaemon } from '../daemon.js';
import { Holders, type What } from '../holders.js';
import { openClaim } from '../operations/claim.js';
import { type Distribution, distributionOf } from '../samples.js';
import { byTurns, type Turn } from '../turns.js';
import { type Conditions, pause, startDaemon } from './measurement.js';

interface Amounts {
  readonly what: What;
  readonly few: number;
  readonly many: number;
  /** Of the policy. */
  readonly limits?: string;
}

export interface Grown {
  readonly few: Distribution;
  readonly many: Distribution;
  /** What was held: fewer than wanted, where a limit of the surroundings permits no more. */
  readonly held: number;
  readonly kibEach: number;
}

const CYCLES = 100;
/** Until the daemon's garbage is collected. */
const SETTLE_MS = 4000;

async function settledKib(daemon: BenchDaemon, quick: boolean): Promise<number> {
  await pause(quick ? 0 : SETTLE_MS);
  return daemon.ownKib;
}

/** A daemon that holds `many`, and an operation that claims from it. */
async function openFull(opened: AsyncDisposableStack, conditions: Conditions, amounts: Amounts) {
  const { what, few, many, limits = '' } = amounts;
  const { bytes, quick, other } = conditions;
  const daemon = opened.use(await startDaemon(conditions, `${limits}${Holders.RULE}`));
  const claim = opened.use(await openClaim({ runtimeDir: daemon.runtimeDir, bytes }));
  const holders = opened.use(new Holders(daemon.runtimeDir, what, other));
  const least = await holders.hold(few);
  const before = await settledKib(daemon, quick);
  const held = many > few ? await holders.hold(many) : least;
  const grown = held > least ? (await settledKib(daemon, quick)) - before : 0;
  const turn: Turn = { operation: claim, cycles: quick ? 10 : CYCLES };
  return { turn, held, kibEach: grown / Math.max(held - least, 1) };
}

export async function measureGrowth(conditions: Conditions, amounts: Amounts): Promise<Grown> {
  await using opened = new AsyncDisposableStack();
  const little = await openFull(opened, conditions, { ...amounts, many: amounts.few });
  const much = await openFull(opened, conditions, amounts);
  const effort = conditions.quick ? { warmUp: 0, rounds: 2 } : { warmUp: 80, rounds: 60 };
  const samples = await byTurns([little.turn, much.turn], effort);
  const [few, many] = samples.map((all) => distributionOf(all.flatMap(({ latencies }) => latencies)));
  if (!few || !many) throw new Error('nothing was measured');
  return { few, many, held: much.held, kibEach: much.kibEach };
}

/** Why a goal that is set for `wanted` cannot be met, where fewer were held. */
export const fewer = (held: number, wanted: number, what: string): string | undefined =>
  held < wanted ? `with ${held} ${what} in place of ${wanted}` : undefined;
