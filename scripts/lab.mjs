/**
 * The lab: tests in guests with a kernel, a systemd and a driver of their own (CONTRIBUTING.md).
 *
 *   npm run test:lab -- [SYSTEM [CASE|FILE]...]   default: all cases of test/lab/table.mjs
 *   npm run test:lab -- --list [--json]           prints the cases
 *   npm run test:lab -- --shell SYSTEM COMMAND    runs one command there, and prints its output
 *
 * FILE is any test file, such as test/daemon/lifetime.test.ts. Jobs run in two lanes; results are printed and
 * counted as by scripts/test.mjs. A guest that hangs is ended, and the end of its console is printed. With
 * --required it is a failure that no guest can run here.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES } from '../test/lab/table.mjs';
import { fail, root, say } from './command.mjs';
import { noRoots } from './debian-root.mjs';
import { accelerate, Guest, noGuest } from './lab/guest.mjs';
import { labImage } from './lab/image.mjs';
import { Job } from './lab/job.mjs';
import { Report, seconds } from './lab/report.mjs';
import { SYSTEMS } from './lab/systems.mjs';

const EX_USAGE = 64;
/** Guests, or pairs of them, that run at the same time: one that waits leaves its processors to the other. */
const LANES = 2;
/** After it, no job is begun: those that hang would take hours. */
const LAB_MS = 2_400_000;
const SHELL_MS = 3_600_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    shell: { type: 'boolean', default: false },
    required: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const [asked, ...names] = positionals;
if (asked === undefined ? options.shell : !(asked in SYSTEMS)) {
  fail(`'${asked ?? ''}' is no system of the lab: ${Object.keys(SYSTEMS).join(', ')}`, EX_USAGE);
}

/** The case of that name; for a test file, one of its own. */
function caseOf(name) {
  const known = CASES.filter(({ systems }) => systems.includes(asked));
  const found = known.find((each) => each.name === name);
  if (found) return found;
  const isTest = /^test\/.*\.test\.ts$/.test(name) && existsSync(join(root, name));
  if (!isTest)
    fail(
      `'${name}' is no test file, and no case of ${asked}: ${known.map((each) => each.name).join(', ')}`,
      EX_USAGE,
    );
  return { name, group: 'asked', systems: [asked], steps: [name] };
}

function list() {
  const rows = CASES.map(({ name, systems, steps, peer }) => ({
    name,
    systems,
    steps,
    ...(peer && { peer }),
  }));
  if (options.json) return console.log(JSON.stringify(rows, null, 2));
  for (const { name, systems, steps } of rows)
    console.log([name.padEnd(16), systems.join(',').padEnd(18), steps.join(', ')].join(' '));
}

/** The jobs of a system: one for each group of cases, and for each case of two guests. */
function jobsOf(system, cases, collaborators) {
  const own = cases.filter(({ systems }) => systems.includes(system));
  const groups = new Map();
  for (const each of own) {
    const key = each.peer ? each : each.group;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return [...groups.values()].map((group) => new Job(system, group, collaborators));
}

async function shell(system, command) {
  const image = await labImage(system, buildPackage());
  const guest = await Guest.boot(image, { name: system, acceleration: accelerate(image) });
  say(`${system} booted in ${guest.booted.toFixed(1)} s`);
  const { status } = await guest.run(command, SHELL_MS, (text) => process.stdout.write(text));
  await guest.end();
  return status;
}

const buildPackage = () =>
  execFileSync(process.execPath, [join(root, 'scripts/package.mjs')], { encoding: 'utf8' }).trim();

async function runLab(report) {
  const began = performance.now();
  const cases = names.length === 0 ? CASES : names.map(caseOf);
  const systems = asked === undefined ? Object.keys(SYSTEMS) : [asked];
  const built = buildPackage();
  const jobs = [];
  let acceleration;
  for (const system of systems) {
    const image = await labImage(system, built);
    acceleration ??= accelerate(image);
    jobs.push(...jobsOf(system, cases, { image, acceleration, report }));
  }
  // The last of Debian 13 are the longest.
  jobs.reverse();
  const ready = performance.now();
  const late = () => performance.now() - ready > LAB_MS;
  const lane = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      if (late()) job.refuse(`not begun within ${seconds(LAB_MS)}`);
      else await job.run();
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const now = performance.now();
  const made = `made ready in ${seconds(ready - began)}`;
  console.log(
    `  figure: the lab: ${systems.join(', ')} under ${acceleration[1]}: ${made}, run in ${seconds(now - ready)}`,
  );
}

// Temporary folders are removed at the exit of this process.
for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
  process.once(signal, () => process.exit(code));
}
if (options.list) {
  list();
  process.exit();
}
const why = noRoots() ?? noGuest();
const report = new Report();
try {
  if (why !== undefined && options.required) report.failed('the lab', why);
  else if (why !== undefined) report.skipped(`the lab: ${why}`);
  else if (options.shell) process.exit(await shell(asked, names.join(' ')));
  else await runLab(report);
} catch (failure) {
  report.failed('the lab', failure.message);
}
process.exitCode = report.end();
