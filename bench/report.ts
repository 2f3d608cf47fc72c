/** The report: what all starts measured, as one JSON object and as a table. */
import { FLOORS, type FloorMode } from './floor.js';
import type { Machine } from './machine.js';
import { FLOOR_OF, OPERATIONS, type OperationName } from './operations.js';
import { estimate, type Figures, figuresOf, type Round, ratioOf, rounded } from './samples.js';
import type { Measured } from './start.js';

/** Times are microseconds. */
export interface Report {
  readonly floor: Readonly<Record<FloorMode, Figures>>;
  /** p50 of an operation to p50 of its floor (samples.ts); what `--compare` compares. */
  readonly ratios: Readonly<Record<RatioName, number>>;
  /** The same ratio in each start, in their order: how far it varies. */
  readonly ratiosByStart: Readonly<Record<RatioName, readonly number[]>>;
  readonly measured: Readonly<Record<OperationName, Figures & { readonly vsFloor: number }>>;
  readonly payloadBytes: number;
  readonly starts: number;
  /** Measured with --quick: no figure can be relied on. */
  readonly quick: boolean;
  readonly device: string;
  readonly machine: Machine;
}

/** Ratio -> its operation. */
export const RATIOS = {
  claimVsFloor: 'claim',
  wireClaimVsFloor: 'wireClaim',
  allocateVsFloor: 'allocate',
  grpcAllocateVsFloor: 'grpcAllocate',
} as const satisfies Readonly<Record<string, OperationName>>;
export type RatioName = keyof typeof RATIOS;
export const RATIO_NAMES = Object.keys(RATIOS) as readonly RatioName[];

/** A ratio in each start. */
export function startRatios(starts: readonly Measured[], name: RatioName): number[] {
  const operation = RATIOS[name];
  return starts.map((start) => ratioOf(start.operations[operation], start.floor[FLOOR_OF[operation]]));
}

/** The standard error of a ratio that is small enough, as a share. */
const SMALL_ERROR = 0.02;

/** Whether the starts agree on every ratio. */
export const agreed = (starts: readonly Measured[]): boolean =>
  RATIO_NAMES.every((name) => estimate(startRatios(starts, name)).error <= SMALL_ERROR);

const record = <Name extends string, Value>(names: readonly Name[], value: (name: Name) => Value) =>
  Object.fromEntries(names.map((name) => [name, value(name)])) as Readonly<Record<Name, Value>>;

export function reportOf(
  starts: readonly Measured[],
  about: { readonly payloadBytes: number; readonly quick: boolean; readonly machine: Machine },
): Report {
  const figures = (rounds: (start: Measured) => readonly Round[]) => figuresOf(starts.flatMap(rounds));
  const byStart = record(RATIO_NAMES, (name) => startRatios(starts, name).map(rounded));
  const ratios = record(RATIO_NAMES, (name) => rounded(estimate(byStart[name]).value));
  const vsFloor = (operation: OperationName) =>
    ratios[RATIO_NAMES.find((name) => RATIOS[name] === operation) as RatioName];
  return {
    floor: record(FLOORS, (mode) => figures(({ floor }) => floor[mode])),
    ratios,
    ratiosByStart: byStart,
    measured: record(OPERATIONS, (name) => ({
      ...figures(({ operations }) => operations[name]),
      vsFloor: vsFloor(name),
    })),
    ...about,
    starts: starts.length,
    device: starts[0]?.device ?? 'unknown',
  };
}

const COLUMNS = ['p50', 'p99', 'mean', 'spread', 'client cpu', 'daemon cpu', 'cycles', 'vs floor'];
const row = (name: string, cells: readonly string[]) =>
  [name.padEnd(16), ...cells.map((cell) => cell.padStart(11))].join('').trimEnd();

function line(name: string, figures: Figures, ratio = ''): string {
  const { client, daemon } = figures.processor;
  const [p50, p99, mean, clientTime, daemonTime] = [
    figures.p50,
    figures.p99,
    figures.mean,
    client,
    daemon,
  ].map((us) => us.toFixed(1)) as [string, string, string, string, string];
  const spread = `${(figures.spread * 100).toFixed(1)} %`;
  return row(name, [p50, p99, mean, spread, clientTime, daemonTime, String(figures.iterations), ratio]);
}

export function table({ floor, measured, machine, device, payloadBytes, starts }: Report): string {
  return [
    `${device}; ${machine.cpu}, pinned to ${machine.pinnedTo}; Linux ${machine.kernel}; Node.js ${machine.node.slice(1)}`,
    `${payloadBytes} bytes, ${starts} starts; microseconds of a cycle; cpu is processor time`,
    row('', COLUMNS),
    ...FLOORS.map((mode) => line(`floor ${mode}`, floor[mode])),
    ...OPERATIONS.map((name) => line(name, measured[name], `${measured[name].vsFloor.toFixed(2)} x`)),
  ].join('\n');
}
