/**
 * Runs the tests on vkmemd's own Node.js (daemon/runtime). Prints a line for each file, failures in full,
 * skips with their reason, and ends with `N passed, N failed, N skipped`, counted over the single assertions.
 * Figures, comments that begin with `figure: `, are printed.
 *
 *   node scripts/test.mjs [OPTION]... [FILE|FOLDER]...      files or folders of test/; default: all but test/gpu
 *
 *   --fast                   the files of `npm run test:fast`
 *   --nodes                  also the client's tests on other versions of Node.js; default without FILE
 *   --coverage all|chosen    measures coverage: of all files, or of the chosen ones, which has a floor
 *   --record                 writes test/times.json; with --coverage chosen, the floor in its place
 *
 * The test of the arm64 package runs only when named (`npm run test:arm64`). The tests of test/gpu run only
 * when asked for (`npm run test:gpu`), one file at a time, since they look at what is used of the whole GPU.
 * Chaos (test/chaos/chaos.test.ts) runs by itself when all others have, since it measures how long victims
 * wait. The Debian package is built once, beside other tests, before its own.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundlePrograms } from './bundle.mjs';
import { root } from './command.mjs';
import { runtimeNode } from './inputs.mjs';
import { Coverage } from './test/coverage.mjs';
import { CLIENT_TESTS, coveredTests, fastTests, needsPackage, runsAlone, testsIn } from './test/files.mjs';
import { runFile } from './test/run-file.mjs';
import { runSchedule, schedule } from './test/schedule.mjs';
import { readTimes, writeTimes } from './test/times.mjs';

const OTHER_NODES = [20, 22, 26];
const nodeOf = (major) => join(root, `test/nodes/node_modules/node${major}-${process.arch}/bin/node`);

const { values: options, positionals: asked } = parseArgs({
  allowPositionals: true,
  options: {
    fast: { type: 'boolean', default: false },
    nodes: { type: 'boolean', default: false },
    coverage: { type: 'string' },
    record: { type: 'boolean', default: false },
  },
});
if (![undefined, 'all', 'chosen'].includes(options.coverage)) throw new Error('--coverage all, or chosen');

const times = readTimes();
const tally = { passed: 0, failed: 0, skipped: 0 };
const measured = {};
const coverage = options.coverage && new Coverage();

function filesToRun() {
  if (options.fast) return fastTests(times);
  if (options.coverage === 'chosen') return coveredTests();
  return (asked.length > 0 ? asked : ['test']).flatMap(testsIn);
}

function report(file, { results, wall, processor }, on = '') {
  for (const name of Object.keys(tally)) tally[name] += results[name];
  const took = options.record
    ? `${wall.toFixed(1)} s, processor ${processor.toFixed(1)} s`
    : `${wall.toFixed(1)} s`;
  console.log([...results.lines, `${results.failed ? 'FAILED' : 'ok'}  ${file}${on} (${took})`].join('\n'));
}

async function runOnOwnNode(file) {
  const env = coverage ? coverage.begin(file) : {};
  const run = await runFile(runtimeNode, file, { timed: options.record, env });
  coverage?.end(file);
  if (run.results.failed === 0) measured[file] = [run.wall, run.processor];
  report(file, run);
}

/** Runs a file of the client's on another version. Daemons run on vkmemd's own Node.js, whatever starts them. */
const runOnOtherNode = async ({ file, major }) =>
  report(file, await runFile(nodeOf(major), file), ` on Node.js ${major}`);

/** The client's tests on other versions, of those files. */
function onOtherNodes(files) {
  return OTHER_NODES.flatMap((major) => {
    if (existsSync(nodeOf(major))) {
      return CLIENT_TESTS.filter((file) => files.includes(file)).map((file) => ({ file, major }));
    }
    tally.skipped += 1;
    console.log(`  skipped  the client on Node.js ${major}: \`node scripts/setup.mjs test\` installs it`);
    return [];
  });
}

/** Builds the Debian package. Where it cannot be built, its tests report why. */
function buildPackage() {
  const options = { stdio: ['ignore', 2, 2] };
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, 'scripts/package.mjs')], options);
    child.once('error', resolve).once('close', resolve);
  });
}

await bundlePrograms(runtimeNode, { forTests: true });
console.log(`# Node.js ${execFileSync(runtimeNode, ['--version'], { encoding: 'utf8' }).trim()}`);
const files = filesToRun();
const all = asked.length === 0 && !options.fast && !coverage;
const others = options.nodes || all ? onOtherNodes(files) : [];
const runs = [...files.map((file) => ({ file })), ...others];
await runSchedule(
  schedule(runs, times, runsAlone),
  (each) => (each.major ? runOnOtherNode(each) : runOnOwnNode(each.file)),
  { needs: needsPackage, make: buildPackage },
);
if (options.record && !coverage) writeTimes(measured);
const floor = options.coverage === 'chosen';
const belowFloor = coverage?.report({ floor, record: options.record }) ?? [];
for (const line of belowFloor) console.log(`FAILED  ${line}`);
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
process.exitCode = tally.failed > 0 || belowFloor.length > 0 ? 1 : 0;
