/**
 * Runs the tests: all of them under the Node.js that runs this, a part of the spine again under Node 24 where npm could
 * install one. Prints a line for each file, what failed in full, what was skipped with its reason, and ends with
 * `N passed, N failed, N skipped`, counted over the single assertions. Arguments are files or folders of test/ to
 * run instead of all, such as `npm test -- test/client`.
 *
 * The tests of test/gpu run only when asked for (`npm run test:gpu`), one file at a time, since they look at what is
 * used of the whole GPU. Chaos (test/chaos/chaos.test.ts) runs by itself when all others have, since it measures how
 * long victims wait. The Debian package is built before its tests, each of which would build it otherwise. Figures,
 * comments that begin with `figure: `, are printed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { Parser } from 'tap-parser';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const gpuTests = join(root, 'test/dist/gpu');
const chaosRuns = join(root, 'test/dist/chaos/chaos.test.js');
const packageTests = join(root, 'test/dist/package');
/** Whether a test wants the machine to itself. */
const alone = (file) => file.startsWith(gpuTests) || file === chaosRuns;
/** Of the spine, what shows how the daemon and its addons get on with Node.js: sockets, streams, processes, fds, memory. */
const ON_NODE_24 = ['main-job', 'import', 'few-fds', 'writer-process'];
const tally = { passed: 0, failed: 0, skipped: 0 };

/** The compiled tests at or below a path inside test/; those for a GPU only where the path is inside test/gpu. */
function testsIn(path) {
  const compiled = join(root, 'test/dist', relative('test', path).replace(/\.ts$/, '.js'));
  if (compiled.endsWith('.js')) return [compiled];
  return readdirSync(compiled, { recursive: true })
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => join(compiled, file))
    .filter((file) => compiled.startsWith(gpuTests) || !file.startsWith(gpuTests))
    .sort();
}

function printFailure({ fullname, name, diag }) {
  console.log(`  not ok  ${fullname || name}`);
  const { source: _source, ...rest } = diag || {};
  for (const [key, value] of Object.entries(rest)) {
    const text = typeof value === 'string' ? value : inspect(value, { breakLength: 110 });
    console.log(`${key}: ${text.trimEnd()}`.replace(/^/gm, '    '));
  }
}

/** Counts one assertion, and prints it where it did not simply pass. */
function countOne(result) {
  if (result.skip || result.todo) {
    tally.skipped += 1;
    console.log(`  skipped  ${result.fullname || result.name}: ${result.skip || result.todo}`);
  } else if (result.ok) {
    tally.passed += 1;
  } else {
    tally.failed += 1;
    printFailure(result);
  }
}

/** Follows a parser; the line that sums up a subtest is no assertion of its own, unless nothing in it failed. */
function follow(parser, ended = () => {}) {
  let before;
  parser.on('child', (child) => {
    before = tally.failed;
    follow(child);
  });
  parser.on('assert', (result) => {
    const sumsUp = before !== undefined && !result.skip && !result.todo;
    if (!sumsUp || (!result.ok && tally.failed === before)) countOne(result);
    before = undefined;
    ended(result);
  });
  parser.on('comment', (comment) => {
    if (comment.startsWith('# figure: ')) console.log(`  ${comment.slice(2).trimEnd()}`);
  });
  parser.on('bailout', (reason) => countOne({ ok: false, name: `bailed out: ${reason}` }));
}

/** Runs compiled tests with tap under one Node.js; first those that share the machine. */
async function runTests(node, files) {
  const together = files.filter((file) => !alone(file));
  for (const some of [together, files.filter(alone)]) if (some.length > 0) await runTap(node, some);
}

async function runTap(node, files) {
  const parser = new Parser();
  follow(parser, ({ ok, name, time }) => {
    const took = time === undefined ? '' : ` (${(time / 1000).toFixed(1)} s)`;
    console.log(
      `${ok ? 'ok' : 'FAILED'}  ${name.replace('test/dist/', 'test/').replace(/js$/, 'ts')}${took}`,
    );
  });
  const tap = join(root, 'node_modules/tap/dist/esm/run.mjs');
  const jobs = files.some(alone) ? ['--jobs=1'] : [];
  const child = spawn(node, [tap, 'run', '--reporter=tap', ...jobs, ...files], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.pipe(parser);
  const parsed = new Promise((resolve) => parser.once('complete', resolve));
  const code = await new Promise((resolve) => child.once('close', resolve));
  await parsed;
  if (code !== 0 && tally.failed === 0) countOne({ ok: false, name: `tap ended with ${code}` });
}

const asked = process.argv.slice(2);
console.log(`# Node.js ${process.version}`);
const files = (asked.length > 0 ? asked : ['test']).flatMap(testsIn);
if (files.some((file) => file.startsWith(packageTests))) {
  // Where it cannot be built, its tests say why.
  spawnSync(process.execPath, [join(root, 'scripts/package.mjs')], { stdio: ['ignore', 2, 2] });
}
await runTests(process.execPath, files);
if (asked.length === 0) {
  const node24 = join(root, 'test/node24/node_modules', `node-linux-${process.arch}`, 'bin/node');
  if (existsSync(node24)) {
    console.log('# Node.js 24: where it could matter');
    await runTests(
      node24,
      ON_NODE_24.map((name) => join(root, `test/dist/spine/${name}.test.js`)),
    );
  } else {
    countOne({
      ok: true,
      name: 'what is tested under Node.js 24 too',
      skip: `npm has no Node.js for ${process.arch}`,
    });
  }
}
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
process.exitCode = tally.failed > 0 ? 1 : 0;
