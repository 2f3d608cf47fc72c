/**
 * The benchmark: latencies of claim and allocate, as ratios to a floor in C that is measured in the same run.
 *
 *   npm run --silent bench -- [--json] [--quick]
 *
 * --json prints one JSON object on standard output in place of a table; --quick measures only a little, to
 * see that all of it works. Progress goes to standard error. It starts a daemon of its own and leaves nothing
 * behind.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BenchDaemon } from './daemon.js';
import { Floor, type FloorMode } from './floor.js';
import { type Figures, Latencies, measure } from './latency.js';
import { FLOOR_OF, OPERATIONS, type OperationName, Operations } from './operations.js';

/** The size of every memory that is handed out. */
const BYTES = 65_536;
const FLOORS: readonly FloorMode[] = ['claim', 'allocate'];

interface Effort {
  /** Of each operation, unmeasured: V8 has compiled both ends after some thousands. */
  readonly warmUp: number;
  readonly rounds: number;
  /** A round's iterations of each floor and of each operation. */
  readonly floor: number;
  readonly operation: number;
}
const THOROUGH: Effort = { warmUp: 4000, rounds: 25, floor: 2000, operation: 300 };
const QUICK: Effort = { warmUp: 20, rounds: 2, floor: 100, operation: 20 };

type Measured = Readonly<Record<OperationName, Figures & { readonly vsFloor: number }>>;

export interface Report {
  /** Microseconds, like all that follow. */
  readonly floor: Readonly<Record<FloorMode, Figures>>;
  readonly ratios: {
    readonly claimVsFloor: number;
    readonly allocateVsFloor: number;
    readonly grpcAllocateVsFloor: number;
  };
  readonly measured: Measured;
  readonly payloadBytes: number;
  readonly rounds: number;
  readonly device: string;
  readonly node: string;
  readonly cpu: string;
  readonly cpus: number;
}

const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

async function run(folder: string, effort: Effort): Promise<Report> {
  say('compiling the floor');
  const floor = Floor.compile(folder);
  const runtimeDir = join(folder, 'run');
  mkdirSync(runtimeDir);
  await using daemon = await BenchDaemon.start(runtimeDir);
  await using operations = await Operations.open(runtimeDir, BYTES);
  const floors = { claim: new Latencies(), allocate: new Latencies() };
  const measured = {
    claim: new Latencies(),
    wireClaim: new Latencies(),
    allocate: new Latencies(),
    grpcAllocate: new Latencies(),
  };
  say(`warming up on ${daemon.device}`);
  for (const name of OPERATIONS) await measure(effort.warmUp, () => operations.perform(name));
  for (let round = 1; round <= effort.rounds; round += 1) {
    say(`round ${round} of ${effort.rounds}`);
    for (const mode of FLOORS) {
      floors[mode].add(await floor.run(mode, effort.floor, BYTES));
      for (const name of OPERATIONS.filter((operation) => FLOOR_OF[operation] === mode)) {
        measured[name].add(await measure(effort.operation, () => operations.perform(name)));
      }
    }
  }
  return report(floors, measured, effort, daemon.device);
}

function report(
  floors: Readonly<Record<FloorMode, Latencies>>,
  latencies: Readonly<Record<OperationName, Latencies>>,
  { rounds }: Effort,
  device: string,
): Report {
  const of = (name: OperationName) => ({
    ...latencies[name].figures,
    vsFloor: latencies[name].ratioTo(floors[FLOOR_OF[name]]),
  });
  const measured: Measured = {
    claim: of('claim'),
    wireClaim: of('wireClaim'),
    allocate: of('allocate'),
    grpcAllocate: of('grpcAllocate'),
  };
  return {
    floor: { claim: floors.claim.figures, allocate: floors.allocate.figures },
    ratios: {
      claimVsFloor: measured.claim.vsFloor,
      allocateVsFloor: measured.allocate.vsFloor,
      grpcAllocateVsFloor: measured.grpcAllocate.vsFloor,
    },
    measured,
    payloadBytes: BYTES,
    rounds,
    device,
    node: process.version,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cpus: cpus().length,
  };
}

function table({ floor, measured, ...run }: Report): string {
  const line = (name: string, { p50, p99, iterations }: Figures, ratio = '') =>
    [name.padEnd(18), ...[p50, p99].map((us) => us.toFixed(1).padStart(10)), String(iterations).padStart(10)]
      .concat(ratio.padStart(12))
      .join('')
      .trimEnd();
  return [
    `${run.device}; Node.js ${run.node}; ${run.cpus} x ${run.cpu}; ${run.payloadBytes} bytes, ${run.rounds} rounds`,
    '                     p50 us    p99 us iterations    vs floor',
    ...FLOORS.map((mode) => line(`floor ${mode}`, floor[mode])),
    ...OPERATIONS.map((name) => line(name, measured[name], `${measured[name].vsFloor.toFixed(2)} x`)),
  ].join('\n');
}

const { values } = parseArgs({ options: { json: { type: 'boolean' }, quick: { type: 'boolean' } } });
const folder = mkdtempSync(join(tmpdir(), 'vkmemd-bench-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
const result = await run(folder, values.quick ? QUICK : THOROUGH);
process.stdout.write(`${values.json ? JSON.stringify(result) : table(result)}\n`);
