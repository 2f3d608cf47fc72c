/**
 * The benchmark: latencies of claim and allocate, as ratios to a floor in C that is measured in the same run.
 *
 *   npm run --silent bench -- [OPTION]...
 *
 * USAGE below lists the options. The result goes to standard output, progress to standard error. It starts
 * daemons of its own and leaves nothing behind.
 *
 * Exit codes: 0; 1 with --compare where a ratio is worse; 2 for a wrong option or file; 3 for a failure.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { baseOf, differences, undecided, verdictLines, verdictsOf } from './compare.js';
import { compileFloor } from './floor.js';
import { describe, numbersOf, pin, prioritize } from './machine.js';
import { agreed, type Report, reportOf, table } from './report.js';
import { type Effort, type Measured, measureStart } from './start.js';

/** The size of every memory that is handed out. */
const BYTES = 65_536;
const THOROUGH: Effort = { warmUp: 60, rounds: 30, floor: 300, divisor: 1 };
const QUICK: Effort = { warmUp: 1, rounds: 2, floor: 50, divisor: 8 };
/** Starts are repeated until they agree. --quick has one. */
const MIN_STARTS = 9;
const MAX_STARTS = 21;

const USAGE = `Usage: npm run --silent bench -- [OPTION]...

Measures claim and allocate of a daemon that it starts, as ratios to the same in C. The daemon is started again
until ${MIN_STARTS} to ${MAX_STARTS} starts agree.

  --json           print one JSON object in place of a table
  --quick          measure little, to see that everything works
  --cpus N         processors for daemon, client and floor together; default 1
  --compare FILE   compare the ratios with those of FILE (written by --json), and exit with 1 if one is
                   12.5 % worse: so one of 15 % is found, whatever the noise
  --help           print this text
`;

const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

class WrongUse extends Error {}

function optionsOf(args: readonly string[]) {
  const options = {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    cpus: { type: 'string', default: '1' },
    compare: { type: 'string' },
    help: { type: 'boolean', default: false },
  } as const;
  try {
    const { values } = parseArgs({ args: [...args], options });
    if (!/^[1-9]\d{0,3}$/.test(values.cpus))
      throw new Error(`--cpus ${values.cpus} is not a number from 1 on`);
    if (values.quick && values.compare !== undefined) {
      throw new Error('--quick measures too little for --compare');
    }
    return { ...values, cpus: Number(values.cpus) };
  } catch (failure) {
    throw new WrongUse((failure as Error).message);
  }
}

/** @throws WrongUse where it cannot be read, is no report, or was pinned to another number of processors. */
function readBase(path: string, cpus: number): Report {
  try {
    const base = baseOf(JSON.parse(readFileSync(path, 'utf8')));
    const pinned = numbersOf(base.machine.pinnedTo).length;
    if (pinned !== cpus) throw new Error(`it was measured with --cpus ${pinned}, this is --cpus ${cpus}`);
    return base;
  } catch (failure) {
    throw new WrongUse(`--compare ${path}: ${(failure as Error).message}`);
  }
}

/** Measures until there are enough starts, prints the result. @returns the exit code. */
async function run({ json, quick, cpus, compare }: ReturnType<typeof optionsOf>, folder: string) {
  const base = compare === undefined ? undefined : readBase(compare, cpus);
  const pinnedTo = pin(cpus);
  if (!prioritize()) say('without priority over other processes, which takes root: the spread may be larger');
  say('compiling the floor');
  const floorProgram = compileFloor(folder);
  const effort = quick ? QUICK : THOROUGH;
  const starts: Measured[] = [];
  const enough = () => {
    if (quick || starts.length >= MAX_STARTS) return starts.length > 0;
    if (starts.length < MIN_STARTS) return false;
    return agreed(starts) && !(base && undecided(verdictsOf(base.ratios, starts)));
  };
  while (!enough()) {
    say(`start ${starts.length + 1}, on processor ${pinnedTo}`);
    starts.push(await measureStart(process.execPath, { folder, floorProgram, bytes: BYTES, effort }));
  }
  const report = reportOf(starts, { payloadBytes: BYTES, quick, machine: describe(pinnedTo) });
  const verdicts = base ? verdictsOf(base.ratios, starts) : [];
  if (!quick && !agreed(starts))
    say(`the ${starts.length} starts do not agree: other programs disturb this machine`);
  for (const difference of base ? differences(base, report) : []) say(difference);
  process.stdout.write(
    json
      ? `${JSON.stringify(base ? { ...report, compared: verdicts } : report)}\n`
      : `${[table(report), ...verdictLines(verdicts)].join('\n')}\n`,
  );
  return verdicts.some(({ worse }) => worse) ? 1 : 0;
}

async function main(): Promise<number> {
  const options = optionsOf(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'vkmemd-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  return run(options, folder);
}

try {
  process.exitCode = await main();
} catch (failure) {
  const { message, cause } = failure as Error;
  say(cause instanceof Error ? `${message}: ${cause.message}` : message);
  if (failure instanceof WrongUse) process.stderr.write(USAGE);
  process.exitCode = failure instanceof WrongUse ? 2 : 3;
}
