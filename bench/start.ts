/**
 * One start: a process that starts a daemon, floors and clients, measures some rounds and sends them to its
 * parent. Main starts it again and again, on the processors to which it is pinned itself.
 *
 * It ends when its parent does, and leaves nothing behind.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AsyncDisposableStack } from '@vkmemd/proto';
import { BenchDaemon, processorTime } from './daemon.js';
import { Floor } from './floor.js';
import { GrpcCalls } from './grpc/calls.js';
import { ECHO, GrpcFloor } from './grpc/floor.js';
import { getAllocation } from './operations/grpc-get.js';
import { type FloorName, floorsOf, OPERATIONS, type OperationName } from './operations/index.js';
import { performed } from './operations/operation.js';
import { reasonOf } from './reason.js';
import { type Round, roundOf, type Sample } from './samples.js';

/** How much is measured. */
export interface Effort {
  /** Rounds that do not count, before those that do: V8 compiles both ends within some thousand claims. */
  readonly warmUp: number;
  /** How many times as many cycles a round has that does not count. */
  readonly warmUpFactor: number;
  readonly rounds: number;
  /** In a round, requests of each floor in C, and the number by which the cycles of all else are divided. */
  readonly floor: number;
  readonly divisor: number;
}

export interface StartOptions {
  /** For the daemon's runtime folder. */
  readonly folder: string;
  /** floor.c, compiled. */
  readonly floorProgram: string;
  /** Of the memory that is handed out. */
  readonly bytes: number;
  readonly effort: Effort;
  /** What is measured, with its floors. */
  readonly operations: readonly OperationName[];
}

type Rounds<Name extends string> = { readonly [name in Name]?: readonly Round[] };

/** What one start measured, of each that was chosen. */
export interface Measured {
  readonly device: string;
  readonly floor: Rounds<FloorName>;
  readonly operations: Rounds<OperationName>;
}

/** By that process: the reason if it fails. */
type Sent = Measured | string;

/** In a round. */
const GRPC_FLOOR_CYCLES = 24;

const PROGRAM = fileURLToPath(import.meta.url);

/**
 * Measures in a process of its own.
 * @param node the path of vkmemd's Node.js.
 * @throws Error where that process fails, with its reason.
 */
export async function measureStart(node: string, options: StartOptions): Promise<Measured> {
  const child = fork(PROGRAM, [JSON.stringify(options)], { execPath: node, stdio: [0, 2, 2, 'ipc'] });
  const exit = once(child, 'exit');
  let sent: Sent | undefined;
  child.on('message', (message) => {
    sent = message as Sent;
  });
  const [code, signal] = await exit;
  if (typeof sent === 'string') throw new Error(sent);
  if (code !== 0 || !sent) throw new Error(`a start ended with ${code ?? signal}`);
  return sent;
}

/** A floor or an operation, ready to be sampled once a round. */
interface Sampled {
  readonly rounds: Round[];
  /** @param factor Of the cycles. */
  readonly sample: (factor: number) => Promise<Sample>;
}

const sampled = (sample: Sampled['sample']): Sampled => ({ rounds: [], sample });

/** An empty call of gRPC with the bytes of the one that is compared with it. */
async function openGrpcFloor(opened: AsyncDisposableStack, folder: string, cycles: number): Promise<Sampled> {
  const floor = opened.use(await GrpcFloor.start(folder));
  const calls = opened.use(new GrpcCalls(floor.socket, ECHO, getAllocation('floor')));
  const echo = { cycle: async () => void (await calls.call()), [Symbol.asyncDispose]: async () => {} };
  return sampled((factor) => performed(echo, cycles * factor, () => processorTime(floor.pid)));
}

/** @param opened Takes what must be closed. */
async function openAll(opened: AsyncDisposableStack, daemon: BenchDaemon, options: StartOptions) {
  const { folder, floorProgram, bytes, effort } = options;
  const cyclesOf = (count: number) => Math.ceil(count / effort.divisor);
  const floors = new Map<FloorName, Sampled>();
  const operations = new Map<OperationName, Sampled>();
  const inC = opened.use(new Floor(floorProgram, bytes));
  for (const name of floorsOf(options.operations)) {
    floors.set(
      name,
      name === 'grpc'
        ? await openGrpcFloor(opened, folder, cyclesOf(GRPC_FLOOR_CYCLES))
        : sampled(() => inC.run(name, effort.floor)),
    );
  }
  for (const name of options.operations) {
    const { open, cycles } = OPERATIONS[name];
    const operation = opened.use(await open({ runtimeDir: daemon.runtimeDir, bytes }));
    operations.set(
      name,
      sampled((factor) => performed(operation, cyclesOf(cycles) * factor, () => daemon.processorTime)),
    );
  }
  return { floors, operations };
}

async function measure(options: StartOptions): Promise<Measured> {
  const { folder, effort } = options;
  const runtimeDir = join(folder, 'run');
  mkdirSync(runtimeDir);
  await using daemon = await BenchDaemon.start(runtimeDir);
  await using opened = new AsyncDisposableStack();
  const { floors, operations } = await openAll(opened, daemon, options);
  for (let round = 0; round < effort.warmUp + effort.rounds; round += 1) {
    const factor = round < effort.warmUp ? effort.warmUpFactor : 1;
    for (const [floor, { rounds, sample }] of floors) {
      rounds.push(roundOf(await sample(factor)));
      for (const [name, operation] of operations) {
        if (OPERATIONS[name].floor === floor) operation.rounds.push(roundOf(await operation.sample(factor)));
      }
    }
  }
  const counting = (all: ReadonlyMap<string, Sampled>) =>
    Object.fromEntries([...all].map(([name, { rounds }]) => [name, rounds.slice(effort.warmUp)]));
  return { device: daemon.device, floor: counting(floors), operations: counting(operations) };
}

if (process.argv[1] === PROGRAM && process.send) {
  const options = JSON.parse(process.argv[2] ?? '') as StartOptions;
  const folder = mkdtempSync(join(options.folder, 'start-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  process.once('disconnect', () => process.exit(1));
  const sent: Sent = await measure({ ...options, folder }).catch(reasonOf);
  process.removeAllListeners('disconnect');
  await new Promise((resolve) => process.send?.(sent, resolve));
  process.disconnect();
}
