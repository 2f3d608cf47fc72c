/**
 * The GPU benchmark: OPAQUE_FD memory of vkmemd beside CUDA's own memory and beside bare calls of the driver, in one
 * run, as one table with goals.
 *
 *   npm run --silent bench:gpu -- [OPTION]...
 *
 * USAGE below lists the options. The result goes to standard output, progress to standard error. It starts daemons of
 * its own and leaves nothing behind. A row that cannot be measured is reported with the reason: without CUDA, those
 * of CUDA.
 *
 * Exit codes: 0; 1 with --check where a goal is missed; 2 for a wrong option; 3 for a failure.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connectControl } from '@vkmemd/client';
import { allowed } from '../machine.js';
import { reasonOf } from '../reason.js';
import { type Bench, startDaemon } from './bench.js';
import { measureKilled } from './killed.js';
import { measureLarge } from './large.js';
import { Programs, within } from './programs.js';
import { GIB, LARGE, MANY, MIB, type Report, ROW_NAMES, Rows, sizeText, table } from './rows.js';
import { measureMany, measureSteady } from './small.js';

const PHASES = ['large', 'steady', 'many', 'killed'] as const;
type Phase = (typeof PHASES)[number];
const ROUNDS = 5;
const LIMIT_S = 300;
/** Milliseconds that one run of a program may take. */
const PATIENCE_MS = 60_000;
/** The part of the available memory that the large memory may take. */
const SHARE = 0.9;
const DEVICE_LOCAL = 1;
/** Where the loader of Vulkan does not look by itself. */
const NVIDIA = '/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json';
const USUAL = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d'];

const USAGE = `Usage: npm run --silent bench:gpu -- [OPTION]...

Measures OPAQUE_FD memory of daemons that it starts, beside CUDA's own memory and bare calls of the driver, in about
two minutes on an H200.

  --json           print one JSON object in place of a table
  --size SIZE      of the large memory, such as 64G, the default; the next smaller power of two where it does not fit
  --many N         small memories of 2 MiB, and parts of the large one; default ${MANY}, at most 4000
  --rounds N       of which medians are reported; default ${ROUNDS}
  --phases LIST    of ${PHASES.join(',')}; default all
  --limit SECONDS  of the whole; rows that are not measured by then are skipped; default ${LIMIT_S}
  --check          exit with 1 if a goal is missed
  --help           print this text
`;

const say = (text: string): void => void process.stderr.write(`bench:gpu: ${text}\n`);

class WrongUse extends Error {}

function sizeOf(text: string): number {
  const [, count = '', unit = ''] = /^([1-9]\d{0,6})([MG])$/.exec(text) ?? [];
  const size = Number(count) * (unit === 'G' ? GIB : MIB);
  if (!size || size % (16 * MIB) !== 0) throw new WrongUse(`--size ${text} is not a multiple of 16M`);
  return size;
}

function countOf(name: string, text: string, maximum: number): number {
  const count = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count <= maximum)) throw new WrongUse(`--${name} ${text} is not a number from 1 to ${maximum}`);
  return count;
}

function phasesOf(list: string): readonly Phase[] {
  const phases = list
    .split(',')
    .filter((each): each is Phase => (PHASES as readonly string[]).includes(each));
  if (phases.length !== list.split(',').length) {
    throw new WrongUse(`--phases ${list}: the phases are ${PHASES.join(', ')}`);
  }
  return phases;
}

function optionsOf(args: readonly string[]) {
  const boolean = { type: 'boolean', default: false } as const;
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const options = {
    json: boolean,
    size: text(`${LARGE / GIB}G`),
    many: text(String(MANY)),
    rounds: text(String(ROUNDS)),
    phases: text(PHASES.join(',')),
    limit: text(String(LIMIT_S)),
    check: boolean,
    help: boolean,
  };
  let values: ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];
  try {
    ({ values } = parseArgs({ args: [...args], options }));
  } catch (failure) {
    throw new WrongUse((failure as Error).message);
  }
  return {
    ...values,
    size: sizeOf(values.size),
    many: countOf('many', values.many, 4000),
    rounds: countOf('rounds', values.rounds, 1000),
    phases: phasesOf(values.phases),
    limit: countOf('limit', values.limit, 3600),
  };
}

/** The device of the daemons that are started here, and the bytes that a client can allocate on it. */
async function lookAtDevice(folder: string) {
  await using daemon = await startDaemon({ folder });
  const control = connectControl({ runtimeDir: daemon.runtimeDir });
  try {
    const { devices } = await control.devices();
    const { heaps } = await control.budget();
    const [device] = devices;
    if (!device) throw new Error('the daemon has no device');
    const own = device.heaps.filter(({ flags }) => flags & DEVICE_LOCAL).map(({ index }) => index);
    const available = heaps
      .filter(({ heapIndex }) => own.includes(heapIndex))
      .map(({ availableBytes }) => Number(availableBytes));
    return {
      device: device.name,
      driver: `${device.driverName} ${device.driverInfo}`.trim(),
      uuid: Buffer.from(device.deviceUuid).toString('hex'),
      available: Math.max(0, ...available),
    };
  } finally {
    await control.close();
  }
}

/** The wanted size, or the largest power of two that fits. */
function fitting(wanted: number, available: number): number {
  if (wanted <= available * SHARE) return wanted;
  const size = 2 ** Math.floor(Math.log2(Math.max(available * SHARE, 16 * MIB)));
  say(`${sizeText(wanted)} do not fit ${Math.floor(available / MIB)} MiB: ${sizeText(size)} instead`);
  return size;
}

interface CudaInfo {
  readonly version: number;
  readonly devices: readonly { readonly uuid: string }[];
}

/** CUDA's version as text, or why it cannot be used. */
async function lookAtCuda(programs: Programs, uuid: string) {
  try {
    const { version, devices } = await programs.run<CudaInfo>('cuda', ['info']);
    const cuda = `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
    const known = devices.some((device) => device.uuid === uuid);
    return { cuda, noCuda: known ? undefined : `CUDA does not list the device ${uuid}` };
  } catch (failure) {
    return { cuda: '', noCuda: reasonOf(failure) };
  }
}

async function run({ json, check, ...options }: ReturnType<typeof optionsOf>, folder: string) {
  const begun = performance.now();
  if (!process.env.VK_DRIVER_FILES && !USUAL.some((usual) => existsSync(`${usual}/nvidia_icd.json`))) {
    if (existsSync(NVIDIA)) process.env.VK_DRIVER_FILES = NVIDIA;
  }
  say('compiling the programs');
  const programs = new Programs(folder, PATIENCE_MS);
  const { uuid, available, ...device } = await lookAtDevice(folder);
  const { cuda, noCuda } = await lookAtCuda(programs, uuid);
  if (noCuda !== undefined) say(`without CUDA: ${noCuda}`);
  const { many, rounds, phases } = options;
  const largeBytes = fitting(options.size, available);
  const rows = new Rows(say);
  const bench: Bench = { programs, rows, folder, uuid, largeBytes, many, rounds, noCuda, say };
  const measure: Record<Phase, () => Promise<void>> = {
    large: () => measureLarge(bench),
    steady: () => measureSteady(bench, allowed()),
    many: () => measureMany(bench),
    killed: () => measureKilled(bench),
  };
  const all = async () => {
    for (const phase of PHASES) if (phases.includes(phase)) await measure[phase]();
  };
  try {
    await within(options.limit * 1000, 'the benchmark', all());
  } catch (failure) {
    say(reasonOf(failure));
    rows.skipped(ROW_NAMES, reasonOf(failure));
  }
  const report: Report = {
    date: new Date().toISOString().slice(0, 10),
    ...device,
    cuda,
    kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
    node: process.version,
    cpus: cpus().length,
    largeBytes,
    many,
    rounds,
    seconds: Math.round((performance.now() - begun) / 1000),
    rows: rows.all({ largeBytes, many }),
  };
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${table(report)}\n`);
  return check && report.rows.some(({ met }) => met === false) ? 1 : 0;
}

async function main(): Promise<number> {
  const options = optionsOf(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'vkmemd-bench-'));
  // Added last, so that it runs when the processes that use the folder have been killed.
  const removeAtExit = () => {
    process.once('exit', () =>
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }),
    );
  };
  for (const [signal, code] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const]) {
    process.once(signal, () => {
      removeAtExit();
      process.exit(code);
    });
  }
  try {
    return await run(options, folder);
  } finally {
    removeAtExit();
  }
}

try {
  process.exitCode = await main();
} catch (failure) {
  const { message, cause } = failure as Error;
  say(cause instanceof Error ? `${message}: ${cause.message}` : message);
  if (failure instanceof WrongUse) process.stderr.write(USAGE);
  process.exitCode = failure instanceof WrongUse ? 2 : 3;
}
// What was given up after its time must not keep this process.
process.exit();
