/** Repeated starts: ratios of operations to their floors, or to each other. */
import { OPERATION_NAMES, OPERATIONS, type OperationName } from './operations/index.js';
import { estimate, ratioOf } from './samples.js';
import { type Effort, type Measured, measureStart } from './start.js';

/** To the operation's floor, unless `to` says otherwise. */
interface Definition {
  readonly operation: OperationName;
  readonly to?: OperationName;
}

export const RATIOS = {
  claimVsFloor: { operation: 'claim' },
  wireClaimVsFloor: { operation: 'wireClaim' },
  reclaimVsFloor: { operation: 'reclaim' },
  allocateVsFloor: { operation: 'allocate' },
  grpcAllocateVsFloor: { operation: 'grpcAllocate' },
  grpcVsGrpcFloor: { operation: 'grpcGet' },
  handoverSizeGrowth: { operation: 'claim1GiB', to: 'claim1MiB' },
} as const satisfies Readonly<Record<string, Definition>>;
export type RatioName = keyof typeof RATIOS;
export const RATIO_NAMES = Object.keys(RATIOS) as readonly RatioName[];

const THOROUGH: Effort = { warmUp: 60, warmUpFactor: 4, rounds: 30, floor: 300, divisor: 1 };
const QUICK: Effort = { warmUp: 1, warmUpFactor: 1, rounds: 2, floor: 50, divisor: 8 };
/** Starts are repeated until they agree, but no longer than that. */
export const MIN_STARTS = 5;
export const MAX_STARTS = 21;
const MAX_MS = 180_000;
/** The standard error of a ratio that is small enough, as a share. */
const SMALL_ERROR = 0.02;

/** What the ratios are made of. */
export const operationsOf = (names: readonly RatioName[]): OperationName[] =>
  OPERATION_NAMES.filter((operation) =>
    names.some((name) => {
      const definition: Definition = RATIOS[name];
      return definition.operation === operation || definition.to === operation;
    }),
  );

/** An operation to its floor, or to another operation, in each start that measured them. */
export function operationRatios(
  starts: readonly Measured[],
  operation: OperationName,
  to?: OperationName,
): number[] {
  return starts.flatMap((start) => {
    const rounds = start.operations[operation];
    const base = to ? start.operations[to] : start.floor[OPERATIONS[operation].floor];
    return rounds && base ? [ratioOf(rounds, base)] : [];
  });
}

/** A ratio in each start. */
export function startRatios(starts: readonly Measured[], name: RatioName): number[] {
  const { operation, to }: Definition = RATIOS[name];
  return operationRatios(starts, operation, to);
}

/** The ratios that were measured. */
export const measuredRatios = (starts: readonly Measured[]): RatioName[] =>
  RATIO_NAMES.filter((name) => startRatios(starts, name).length > 0);

/** Whether the starts agree on every ratio that was measured. */
export const agreed = (starts: readonly Measured[]): boolean =>
  measuredRatios(starts).every((name) => estimate(startRatios(starts, name)).error <= SMALL_ERROR);

export interface StartsOptions {
  readonly folder: string;
  readonly floorProgram: string;
  readonly bytes: number;
  readonly quick: boolean;
  readonly ratios: readonly RatioName[];
  /** Whether more starts are needed although they agree. */
  readonly undecided: (starts: readonly Measured[]) => boolean;
  readonly say: (text: string) => void;
}

/** Measures until there are enough starts; --quick has one. */
export async function measureStarts(options: StartsOptions): Promise<Measured[]> {
  const { quick, ratios, undecided, say, ...rest } = options;
  const effort = quick ? QUICK : THOROUGH;
  const operations = operationsOf(ratios);
  if (operations.length === 0) return [];
  const end = performance.now() + MAX_MS;
  const starts: Measured[] = [];
  const enough = () => {
    if (quick || starts.length >= MAX_STARTS) return starts.length > 0;
    if (performance.now() > end) return true;
    return starts.length >= MIN_STARTS && agreed(starts) && !undecided(starts);
  };
  while (!enough()) {
    say(`start ${starts.length + 1}`);
    starts.push(await measureStart(process.execPath, { ...rest, effort, operations }));
  }
  if (!quick && !agreed(starts))
    say(`the ${starts.length} starts do not agree: other programs disturb this machine`);
  return starts;
}
