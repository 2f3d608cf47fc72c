/**
 * One start: a process that starts a daemon, a floor and clients, measures some rounds and sends them to its
 * parent. Main starts it again and again, on the processors to which it is pinned itself.
 *
 * It ends when its parent does, and leaves nothing behind.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BenchDaemon } from './daemon.js';
import { FLOORS, Floor, type FloorMode } from './floor.js';
import { FLOOR_OF, OPERATIONS, type OperationName, Operations } from './operations.js';
import { type Round, roundOf, type Sample } from './samples.js';

/** How much is measured. */
export interface Effort {
  /** Rounds that do not count, before those that do: V8 compiles both ends within some thousand claims. */
  readonly warmUp: number;
  readonly rounds: number;
  /** In a round, requests of each floor, and the number by which an operation's are divided (see CYCLES). */
  readonly floor: number;
  readonly divisor: number;
}

export interface StartOptions {
  /** For the daemon's runtime folder. */
  readonly folder: string;
  /** The program of compileFloor(). */
  readonly floorProgram: string;
  /** Of every memory that is handed out. */
  readonly bytes: number;
  readonly effort: Effort;
}

/** What one start measured. */
export interface Measured {
  readonly device: string;
  readonly floor: Readonly<Record<FloorMode, readonly Round[]>>;
  readonly operations: Readonly<Record<OperationName, readonly Round[]>>;
}

/** In a round: each runs for about ten milliseconds. */
const CYCLES: Readonly<Record<OperationName, number>> = {
  claim: 48,
  wireClaim: 48,
  allocate: 16,
  grpcAllocate: 12,
};

const PROGRAM = fileURLToPath(import.meta.url);

/**
 * Measures in a process of its own.
 * @param node the path of vkmemd's Node.js.
 * @throws Error where that process fails; it has written why to standard error.
 */
export async function measureStart(node: string, options: StartOptions): Promise<Measured> {
  const child = fork(PROGRAM, [JSON.stringify(options)], { execPath: node, stdio: [0, 2, 2, 'ipc'] });
  const exit = once(child, 'exit');
  let measured: Measured | undefined;
  child.on('message', (message) => {
    measured = message as Measured;
  });
  const [code, signal] = await exit;
  if (code !== 0 || !measured) throw new Error(`a start ended with ${code ?? signal}`);
  return measured;
}

const byName = <Name extends string, Value>(names: readonly Name[], value: (name: Name) => Value) =>
  Object.fromEntries(names.map((name) => [name, value(name)])) as Record<Name, Value>;

async function sample(
  daemon: BenchDaemon,
  operations: Operations,
  name: OperationName,
  cycles: number,
): Promise<Sample> {
  const [usage, used] = [process.cpuUsage(), daemon.processorTime];
  const times = await operations.perform(name, cycles);
  const served = daemon.processorTime - used;
  const { user, system } = process.cpuUsage(usage);
  return { ...times, client: user + system, daemon: served };
}

async function measure({ folder, floorProgram, bytes, effort }: StartOptions): Promise<Measured> {
  const runtimeDir = join(folder, 'run');
  mkdirSync(runtimeDir);
  await using daemon = await BenchDaemon.start(runtimeDir);
  await using floor = new Floor(floorProgram, bytes);
  await using operations = await Operations.open(runtimeDir, bytes);
  const floors = byName(FLOORS, (): Round[] => []);
  const rounds = byName(OPERATIONS, (): Round[] => []);
  for (let round = 0; round < effort.warmUp + effort.rounds; round += 1) {
    for (const mode of FLOORS) {
      floors[mode].push(roundOf(await floor.run(mode, effort.floor)));
      for (const name of OPERATIONS.filter((operation) => FLOOR_OF[operation] === mode)) {
        const cycles = Math.ceil(CYCLES[name] / effort.divisor);
        rounds[name].push(roundOf(await sample(daemon, operations, name, cycles)));
      }
    }
  }
  const counting = (all: readonly Round[]) => all.slice(effort.warmUp);
  return {
    device: daemon.device,
    floor: byName(FLOORS, (mode) => counting(floors[mode])),
    operations: byName(OPERATIONS, (name) => counting(rounds[name])),
  };
}

if (process.argv[1] === PROGRAM && process.send) {
  const options = JSON.parse(process.argv[2] ?? '') as StartOptions;
  const folder = mkdtempSync(join(options.folder, 'start-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  process.once('disconnect', () => process.exit(1));
  const measured = await measure({ ...options, folder });
  process.removeAllListeners('disconnect');
  await new Promise((resolve) => process.send?.(measured, resolve));
  process.disconnect();
}
