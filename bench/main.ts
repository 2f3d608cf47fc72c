/**
 * The benchmark: what handing memory over costs, as ratios to a floor that is measured in the same run, with goals.
 *
 *   npm run --silent bench -- [OPTION]...
 *
 * options.ts lists the options, keys.ts the ratios. The result goes to standard output, progress to standard error.
 * It starts daemons of its own and leaves nothing behind.
 *
 * Exit codes: 0; 1 with --compare where a ratio is worse, or with --check where a goal is missed; 2 for a wrong option
 * or file; 3 for a failure.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { baseOf, differences, undecided, verdictLines, verdictsOf } from './compare.js';
import { compile } from './compile.js';
import { allowed, describe, numbersOf, pin, prioritize } from './machine.js';
import { deviceOf } from './measurements/device.js';
import { measureOthers } from './measurements/index.js';
import type { Outcome } from './measurements/measurement.js';
import { type Options, optionsOf, USAGE, WrongUse } from './options.js';
import { reasonOf } from './reason.js';
import { missed, type Report, reportOf } from './report.js';
import type { Measured } from './start.js';
import { measureStarts, RATIO_NAMES, type StartsOptions } from './starts.js';
import { table } from './table.js';

/** The size of the memory that is handed out, where a key does not say otherwise. */
const BYTES = 65_536;

const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

/** @throws WrongUse where it cannot be read, is no report, or was pinned to another number of processors. */
function readBase(path: string, { cpus, only }: Options): Report {
  try {
    const ratios = RATIO_NAMES.filter((name) => only.includes(name));
    const base = baseOf(JSON.parse(readFileSync(path, 'utf8')), ratios);
    const pinned = numbersOf(base.machine.pinnedTo).length;
    if (pinned !== cpus) throw new Error(`it was measured with --cpus ${pinned}, this is --cpus ${cpus}`);
    return base;
  } catch (failure) {
    throw new WrongUse(`--compare ${path}: ${(failure as Error).message}`);
  }
}

/** The starts, or why the ratios could not be measured. */
interface Starts {
  readonly starts: readonly Measured[];
  readonly reasons: NonNullable<Outcome['reasons']>;
  readonly cause?: unknown;
}

async function startsOf(options: StartsOptions): Promise<Starts> {
  try {
    return { starts: await measureStarts(options), reasons: {} };
  } catch (cause) {
    const reason = reasonOf(cause);
    say(`the starts: ${reason}`);
    return { starts: [], reasons: Object.fromEntries(options.ratios.map((name) => [name, reason])), cause };
  }
}

/** Measures, prints the result. @returns the exit code. */
async function run(options: Options, folder: string): Promise<number> {
  const { json, quick, cpus, compare, only, check } = options;
  const begun = performance.now();
  const base = compare === undefined ? undefined : readBase(compare, options);
  const processors = allowed();
  const pinnedTo = pin(cpus);
  if (!prioritize()) say('without priority over other processes, which takes root: the spread may be larger');
  say(`compiling the floor; on processor ${pinnedTo}`);
  const floorProgram = compile('floor', folder);
  const ratios = RATIO_NAMES.filter((name) => only.includes(name));
  const verdicts = (starts: readonly Measured[]) => (base ? verdictsOf(base.ratios, starts) : []);
  const { starts, ...failed } = await startsOf({
    ...{ folder, floorProgram, bytes: BYTES, quick, ratios, say },
    undecided: (measured) => undecided(verdicts(measured)),
  });
  // Without starts nothing can be compared; otherwise the other keys are worth measuring.
  if (base && failed.cause) throw failed.cause;
  const [own = 0] = allowed();
  const other = processors.filter((processor) => !allowed().includes(processor)).at(-1) ?? own;
  const conditions = { folder, floorProgram, bytes: BYTES, quick, own, other, say };
  const outcomes = await measureOthers(conditions, only);
  const report = reportOf(
    starts,
    { ...outcomes, starts: { values: {}, reasons: failed.reasons, details: {} } },
    {
      date: new Date().toISOString().slice(0, 10),
      options: process.argv.slice(2).join(' '),
      payloadBytes: BYTES,
      seconds: Math.round((performance.now() - begun) / 1000),
      quick,
      device: starts[0]?.device ?? (await deviceOf(conditions)),
      machine: describe(pinnedTo),
    },
  );
  for (const difference of base ? differences(base, report) : []) say(difference);
  const compared = verdicts(starts);
  process.stdout.write(
    json
      ? `${JSON.stringify(base ? { ...report, compared } : report)}\n`
      : `${[table(report), ...verdictLines(compared)].join('\n')}\n`,
  );
  const over = check ? missed(report) : [];
  const open = check ? only.filter((key) => report.keys[key].goal && report.keys[key].met === null) : [];
  if (open.length > 0) say(`not decided: ${open.join(', ')}`);
  if (over.length > 0) say(`missed: ${over.join(', ')}`);
  return over.length > 0 || compared.some(({ worse }) => worse) ? 1 : 0;
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
