/**
 * What a neighbour costs a client: latencies of Hello, and of claim with release, while another client does nothing,
 * floods the socket with connections, or allocates, touches and frees much memory; as ratios to the floor of a claim
 * in C in the same run, and compared with goals.
 *
 *   npm run --silent bench:neighbours -- [OPTION]...
 *
 * Daemon, client and floor are on one processor, the neighbour on another where there is one. A flooding neighbour is
 * another user where root runs this. The result goes to standard output, progress to standard error.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connect } from '@vkmemd/client';
import { HANDOFF_SOCKET } from '@vkmemd/proto';
import { compile } from '../compile.js';
import { BenchDaemon } from '../daemon.js';
import { Floor } from '../floor.js';
import { allowed, describe, type Machine, pin, pinProcess, prioritize } from '../machine.js';
import { Program } from '../program.js';
import { distributionOf, quantile, rounded } from '../samples.js';

const NAME = 'bench';
const BYTES = 65_536;
const CHURN_BYTES = 1536 * 1024 * 1024;
/** A user that owns nothing. */
const STRANGER = 65_533;
const OPERATIONS = ['hello', 'claim'] as const;
type Operation = (typeof OPERATIONS)[number];

/** Load -> the p99 that an operation may have under it, in milliseconds. */
const GOALS: Readonly<Record<string, Partial<Record<Operation, number>>>> = {
  quiet: {},
  connects: { hello: 50 },
  hellos: { hello: 50 },
  churn: { hello: 5, claim: 5 },
};
const FLOODS = ['connects', 'hellos'];

const USAGE = `Usage: npm run --silent bench:neighbours -- [OPTION]...

Measures Hello, and claim with release, beside a quiet, a flooding and an allocating neighbour.

  --json     print one JSON object in place of a table
  --quick    measure little, to see that everything works
  --one-cpu  put the neighbour on the processor of the daemon, although there are others
  --check    exit with 1 if a goal is missed
  --help     print this text
`;

const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

/** Milliseconds. */
interface Measured {
  readonly load: string;
  readonly operation: Operation;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly cycles: number;
  /** To p50 of the floor in the same round. */
  readonly vsFloor: { readonly p50: number; readonly p99: number };
  readonly loadPerSecond: number;
  readonly goal?: number;
}

interface Places {
  readonly own: number;
  readonly other: number;
  /** Of the client that is measured, and of a load. */
  readonly milliseconds: number;
  readonly churnBytes: number;
}

function neighbour(load: string, runtimeDir: string, { other, churnBytes }: Places): Program {
  const stranger = FLOODS.includes(load) && process.getuid?.() === 0 ? STRANGER : undefined;
  return Program.node('neighbours/load', [runtimeDir, load, String(churnBytes)], {
    processor: other,
    uid: stranger,
  });
}

async function measure(load: string, runtimeDir: string, floor: Floor, places: Places): Promise<Measured[]> {
  const { latencies } = await floor.run('claim', 300);
  const floorMs = quantile(latencies, 0.5) / 1000;
  const busy = load === 'quiet' ? undefined : neighbour(load, runtimeDir, places);
  await busy?.line();
  const begun = performance.now();
  const args = [runtimeDir, NAME, String(places.milliseconds)];
  const client = Program.node('neighbours/client', args, { processor: places.own });
  const taken: Record<Operation, number[]> = JSON.parse(await client.line());
  const seconds = (performance.now() - begun) / 1000;
  const done = Number((await busy?.stop()) ?? 0);
  return OPERATIONS.map((operation) => {
    // The first ones are those in which V8 compiles.
    const all = taken[operation];
    const counted = all.slice(Math.floor(all.length / 6)).map((us) => us / 1000);
    const { p50, p99, max, count: cycles } = distributionOf(counted);
    const goal = GOALS[load]?.[operation];
    return {
      ...{ load, operation, p50, p99, max, cycles },
      vsFloor: { p50: rounded(p50 / floorMs), p99: rounded(p99 / floorMs) },
      loadPerSecond: rounded(done / seconds),
      ...(goal === undefined ? {} : { goal }),
    };
  });
}

const missed = ({ p99, goal }: Measured): boolean => goal !== undefined && p99 > goal;

function textOf(machine: Machine, measured: readonly Measured[]): string {
  const cell = (value: number | string) => String(value).padStart(10);
  const rows = measured.map((one) => {
    const goal = one.goal === undefined ? '' : `${missed(one) ? 'MISSED' : 'met'}, ${one.goal} ms`;
    const figures = [one.p50, one.p99, one.max].map((ms) => cell(ms.toFixed(2))).join('');
    const ratios = [one.vsFloor.p50, one.vsFloor.p99].map((ratio) => cell(`${ratio.toFixed(1)} x`)).join('');
    const counts = cell(one.cycles) + cell(one.loadPerSecond.toFixed(1));
    return `${one.load.padEnd(9)}${one.operation.padEnd(6)}${figures}${ratios}${counts}  ${goal}`.trimEnd();
  });
  const heads = ['p50', 'p99', 'max', 'p50/floor', 'p99/floor', 'cycles', 'load/s'].map(cell).join('');
  return [
    `${machine.cpu}, daemon and client on ${machine.pinnedTo}; Linux ${machine.kernel}; Node.js ${machine.node.slice(1)}`,
    'milliseconds; the floor is p50 of a claim in C',
    `${' '.repeat(15)}${heads}  goal of p99`,
    ...rows,
    '',
  ].join('\n');
}

async function main(): Promise<number> {
  const boolean = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    options: { json: boolean, quick: boolean, 'one-cpu': boolean, check: boolean, help: boolean },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'vkmemd-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  if (!prioritize()) say('without priority over other processes, which takes root: the spread may be larger');
  const processors = allowed();
  const own = Number(pin(1));
  const other = values['one-cpu'] ? own : (processors.at(-2) ?? own);
  const runtimeDir = join(folder, 'run');
  mkdirSync(runtimeDir);
  const floorProgram = compile('floor', folder);
  await using daemon = await BenchDaemon.start(runtimeDir);
  pinProcess(daemon.core, String(own));
  await using floor = new Floor(floorProgram, BYTES);
  for (const path of [folder, runtimeDir]) chmodSync(path, 0o755);
  chmodSync(join(runtimeDir, HANDOFF_SOCKET), 0o666);
  const owner = await connect({ runtimeDir, clientName: 'bench owner' });
  const memory = await owner.allocate({ size: BYTES, name: NAME });
  const milliseconds = values.quick ? 400 : 8000;
  const churnBytes = values.quick ? CHURN_BYTES / 64 : CHURN_BYTES;
  const measured: Measured[] = [];
  for (const load of Object.keys(GOALS)) {
    say(load);
    measured.push(...(await measure(load, runtimeDir, floor, { own, other, milliseconds, churnBytes })));
  }
  await memory.free();
  await owner.close();
  const machine = describe(String(own));
  const report = { machine, neighbourOn: other, quick: values.quick, measured };
  process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : textOf(machine, measured));
  return values.check && measured.some(missed) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (failure) {
  // With that of a clean-up, which may be the same one's consequence.
  const { error, suppressed } = failure as { error?: unknown; suppressed?: unknown };
  for (const each of error === undefined ? [failure] : [suppressed, error]) say(String(each));
  process.exitCode = 3;
}
process.exit();
