/**
 * What a busy front costs the clients of the handoff socket: latencies of claims while others call gRPC, list and
 * scrape, as ratios to those of an idle daemon; and what a gRPC call costs, as a ratio to an empty one.
 *
 *   npm run --silent bench:front -- [OPTION]...
 *
 * The front is on the core's processor (one CPU), or may use another one too (two CPUs). The claiming client and the others
 * have a processor each where there are four; otherwise they share the second one, where the claiming one has priority.
 * The result goes to standard output, progress to standard error.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connect, connectControl } from '@vkmemd/client';
import { CONTROL_SOCKET, type KindName, VkmemError } from '@vkmemd/proto';
import { BenchDaemon, processorTime, residentKib } from '../daemon.js';
import { ECHO } from '../grpc/floor.js';
import { allowed, describe, pinProcess, prioritize } from '../machine.js';
import { getAllocation } from '../operations/grpc-get.js';
import { Program } from '../program.js';
import { distributionOf, quantile } from '../samples.js';

const NAME = 'bench';
const LOADS = ['quiet', 'budget', 'list', 'scrape', 'pages'] as const;
/** Memory without an fd and a mapping in the daemon, of which there may be more than RLIMIT_NOFILE allows. */
const MANY_KINDS = ['OPAQUE_FD'] as const;

/** Left free, where allocations take all file descriptors. */
const FDS_FOR_CONNECTIONS = 64;

const USAGE = `Usage: npm run --silent bench:front -- [OPTION]...

Measures claims while the front is busy, the pauses of the core with many allocations, gRPC calls as ratios to an
empty one, and the start.

  --json             print one JSON object in place of tables
  --quick            measure little, to see that everything works
  --allocations N    that exist while claims are measured; default 4000
  --many N           that exist while pauses are measured, if RLIMIT_NOFILE permits; default 50000, 0 for none
  --help             print this text
`;

const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Latencies of claims in milliseconds. */
interface Claims {
  readonly cpus: 1 | 2;
  readonly load: string;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly claims: number;
  /** What the load did meanwhile, a second. */
  readonly loadPerSecond: number;
}

/** The processors, and a folder. */
interface Places {
  readonly folder: string;
  readonly core: number;
  /** Which the front may use too. */
  readonly second: number;
  readonly claimer: number;
  readonly others: number;
}

/** @throws Error where there are fewer than two processors. */
function placesIn(folder: string): Places {
  const processors = allowed().slice(-4);
  const [core, second, claimer, others] = processors;
  if (core === undefined || second === undefined) throw new Error('it needs two processors');
  if (processors.length < 4) say('fewer than four processors: the clients share one with the front');
  return { folder, core, second, claimer: claimer ?? second, others: others ?? second };
}

interface Owner {
  readonly session: Awaited<ReturnType<typeof connect>>;
  /** Fewer than asked for, where the daemon may have no more. */
  readonly allocations: number;
}

async function makeAllocations(
  runtimeDir: string,
  count: number,
  kinds: readonly KindName[] = ['MAPPABLE'],
): Promise<Owner> {
  const session = await connect({ runtimeDir, clientName: 'bench owner' });
  await session.allocate({ size: 4096, name: NAME });
  const made: string[] = [];
  let [left, full] = [count - 1, false];
  const one = async () => {
    for (; left > 0 && !full; ) {
      left -= 1;
      try {
        made.push((await session.control.allocate({ size: 4096, kinds })).id);
      } catch (failure) {
        if (!(failure instanceof VkmemError) || failure.code !== 'TOO_MANY_FILES') throw failure;
        full = true;
      }
    }
  };
  await Promise.all(Array.from({ length: 12 }, one));
  if (full) {
    for (const id of made.splice(-FDS_FOR_CONNECTIONS)) await session.control.free({ id });
    say(`RLIMIT_NOFILE permits ${made.length + 1} of ${count} allocations`);
  }
  return { session, allocations: made.length + 1 };
}

async function release(runtimeDir: string, { session }: Owner) {
  const control = connectControl({ runtimeDir });
  await control.free({ name: NAME });
  await session.close();
  for (;;) {
    const { counts } = await control.budget();
    if (counts.allocations + counts.drainingAllocations === 0) break;
    await pause(100);
  }
  await control.close();
}

function pinDaemon(daemon: BenchDaemon, { core, second }: Places, cpus: 1 | 2): void {
  pinProcess(daemon.core, String(core));
  pinProcess(daemon.front, cpus === 1 ? String(core) : `${core},${second}`);
}

async function claimsUnder(
  load: string,
  daemon: BenchDaemon,
  places: Places,
  cpus: 1 | 2,
  ms: number,
): Promise<Claims> {
  const { runtimeDir } = daemon;
  const claimer = Program.node('front/claimer', [runtimeDir, NAME], { processor: places.claimer, nice: -20 });
  await claimer.line();
  const busy =
    load === 'quiet'
      ? undefined
      : Program.node('front/load', [runtimeDir, load], { processor: places.others, nice: 5 });
  await busy?.line();
  await pause(ms / 5);
  const begun = performance.now();
  await pause(ms);
  const seconds = (performance.now() - begun) / 1000;
  const latencies: number[] = JSON.parse(await claimer.stop());
  const done = Number((await busy?.stop()) ?? 0);
  // The first ones are of the time in which the load began.
  const counted = latencies.slice(Math.floor(latencies.length / 6)).map((us) => us / 1000);
  const { p50, p99, max, count } = distributionOf(counted);
  return {
    ...{ cpus, load, p50, p99, max, claims: count, loadPerSecond: Math.round(done / (seconds * 1.2)) },
  };
}

/** The worst delay of the core's event loop since it was asked last, in milliseconds. */
async function worstPause(runtimeDir: string): Promise<number> {
  const control = connectControl({ runtimeDir, timeoutMs: 60_000 });
  const families = await control.metrics();
  await control.close();
  const { metrics = [] } = families.find(({ name }) => name === 'vkmemd_event_loop_delay_seconds') ?? {};
  return (metrics.find(({ labels }) => labels.some(({ value }) => value === '1'))?.value ?? 0) * 1000;
}

async function pausesOf(daemon: BenchDaemon, places: Places, ms: number) {
  const { runtimeDir } = daemon;
  const pauses: Record<string, number> = {};
  for (const load of ['quiet', 'list', 'scrape', 'pages']) {
    // The first round compiles.
    for (const round of ['warm', 'measured']) {
      const busy =
        load === 'quiet'
          ? undefined
          : Program.node('front/load', [runtimeDir, load], { processor: places.others });
      await busy?.line();
      await worstPause(runtimeDir);
      await pause(round === 'warm' ? ms / 2 : ms);
      pauses[load] = await worstPause(runtimeDir);
      await busy?.stop();
    }
  }
  return pauses;
}

/** Medians of an empty call and of GetAllocation in microseconds, all on one processor. */
async function unaryCalls(daemon: BenchDaemon, { folder, core }: Places, calls: number) {
  const socket = join(folder, 'floor.sock');
  const server = Program.node('grpc/server', [socket], { processor: core });
  await server.line();
  const request = getAllocation(NAME).toString('hex');
  pinProcess(daemon.front, String(core));
  const measure = async (at: string, method: string) => {
    const client = Program.node('front/unary', [at, method, request, String(calls)], { processor: core });
    return JSON.parse(await client.line()) as number[];
  };
  const rounds = [];
  for (let round = 0; round < 5; round += 1) {
    const floor = quantile(await measure(socket, ECHO), 0.5);
    const control = join(daemon.runtimeDir, CONTROL_SOCKET);
    const call = quantile(await measure(control, '/vkmem.v1.MemoryService/GetAllocation'), 0.5);
    rounds.push({ floor, call, ratio: call / floor });
  }
  await server.end();
  const best = rounds.sort((one, other) => one.ratio - other.ratio)[2];
  return best ?? { floor: 0, call: 0, ratio: 0 };
}

const residentMib = (pid: number): number => Math.round(residentKib(pid, 'VmRSS') / 1024);

/** Processor time in milliseconds until gRPC answers, with the driver's, and resident memory in MiB. */
async function startFigures(places: Places) {
  const runtimeDir = join(places.folder, 'start');
  mkdirSync(runtimeDir);
  await using daemon = await BenchDaemon.start(runtimeDir);
  const [core, front] = [processorTime(daemon.core) / 1000, processorTime(daemon.front) / 1000];
  await pause(500);
  return { core, front, coreMib: residentMib(daemon.core), frontMib: residentMib(daemon.front) };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      allocations: { type: 'string', default: '4000' },
      many: { type: 'string', default: '50000' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'vkmemd-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  if (!prioritize()) say('without priority over other processes, which takes root: the spread may be larger');
  const places = placesIn(folder);
  const ms = values.quick ? 300 : 4000;
  say('starts');
  const start = await startFigures(places);
  const runtimeDir = join(folder, 'run');
  mkdirSync(runtimeDir);
  const daemon = await BenchDaemon.start(runtimeDir);
  const claims: Claims[] = [];
  say(`${values.allocations} allocations`);
  const owner = await makeAllocations(runtimeDir, Number(values.allocations));
  for (const cpus of [2, 1] as const) {
    pinDaemon(daemon, places, cpus);
    for (const load of LOADS) {
      say(`claims, ${load}, ${cpus} CPUs`);
      claims.push(await claimsUnder(load, daemon, places, cpus, ms));
    }
  }
  say('gRPC calls');
  const unary = await unaryCalls(daemon, places, values.quick ? 50 : 1500);
  await release(runtimeDir, owner);
  let pauses: Record<string, number> = {};
  let many = Number(values.many);
  if (many > 0) {
    say(`${many} allocations`);
    const all = await makeAllocations(runtimeDir, many, MANY_KINDS);
    many = all.allocations;
    pinDaemon(daemon, places, 1);
    pauses = await pausesOf(daemon, places, ms);
    await release(runtimeDir, all);
  }
  await daemon[Symbol.asyncDispose]();
  const report = {
    machine: describe([...new Set([places.core, places.second, places.claimer, places.others])].join()),
    start,
    claims,
    unary,
    many,
    pauses,
  };
  process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : textOf(report));
  return 0;
}

interface Report {
  readonly start: { readonly core: number; readonly front: number; coreMib: number; frontMib: number };
  readonly claims: readonly Claims[];
  readonly unary: { readonly floor: number; readonly call: number; readonly ratio: number };
  readonly many: number;
  readonly pauses: Readonly<Record<string, number>>;
}

function textOf({ start, claims, unary, many, pauses }: Report): string {
  const fixed = (value: number) => value.toFixed(2).padStart(8);
  const rows = claims.map((one) => {
    const quiet = claims.find(({ cpus, load }) => cpus === one.cpus && load === 'quiet');
    const ratio = quiet ? one.p99 / quiet.p99 : 1;
    const figures = [one.p50, one.p99, one.max, ratio].map(fixed).join('');
    return `${one.cpus} ${one.load.padEnd(8)}${figures}${String(one.loadPerSecond).padStart(8)}`;
  });
  return [
    'CPUs, load: p50, p99, max of claims in ms; p99 to quiet; load per second',
    ...rows,
    `gRPC GetAllocation ${unary.call} us, empty call ${unary.floor} us: ratio ${unary.ratio.toFixed(2)}`,
    `start: core ${start.core.toFixed(0)} ms, front ${start.front.toFixed(0)} ms of processor time;` +
      ` ${start.coreMib} and ${start.frontMib} MiB resident`,
    ...Object.entries(pauses).map(
      ([load, ms]) => `worst pause of the core, ${many} allocations, ${load}: ${ms.toFixed(1)} ms`,
    ),
    '',
  ].join('\n');
}

process.exitCode = await main();
process.exit();
