/**
 * Runs the tests on vkmemd's own Node.js (daemon/runtime). Prints a line for each file, what failed in full, what was skipped with its reason, and ends with
 * `N passed, N failed, N skipped`, counted over the single assertions. Arguments are files or folders of test/ to
 * run instead of all, such as `npm test -- test/client`.
 *
 * The tests of test/gpu run only when asked for (`npm run test:gpu`), one file at a time, since they look at what is
 * used of the whole GPU. Chaos (test/chaos/chaos.test.ts) runs by itself when all others have, since it measures how
 * long victims wait. The Debian package is built before its tests, each of which would build it otherwise. Figures,
 * comments that begin with `figure: `, are printed.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { Parser } from 'tap-parser';
import { bundlePrograms } from './bundle.mjs';
import { runtimeNode } from './inputs.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const gpuTests = join(root, 'test/dist/gpu');
const chaosRuns = join(root, 'test/dist/chaos/chaos.test.js');
const packageTests = join(root, 'test/dist/package');
/** Whether a test wants the machine to itself. */
const alone = (file) => file.startsWith(gpuTests) || file === chaosRuns;
/** How many files run at once. */
const JOBS = 2;
/** For tap: of a test that says nothing of its own. */
const TIMEOUT_S = 120;
/** Of a file that does not end by itself. */
const KILLED_AFTER_MS = 900_000;
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

/** What a failure is, for people, a line each. */
function failureLines({ fullname, name, diag }) {
  const { source: _source, ...rest } = diag || {};
  const details = Object.entries(rest).flatMap(([key, value]) => {
    const text = typeof value === 'string' ? value : inspect(value, { breakLength: 110 });
    return `${key}: ${text.trimEnd()}`.replace(/^/gm, '    ');
  });
  return [`  not ok  ${fullname || name}`, ...details];
}

/** The results of one file. */
class Results {
  failed = 0;
  /** Lines to print. */
  lines = [];

  /** Counts one assertion, and adds a line unless it passed. */
  count(result) {
    if (result.skip || result.todo) {
      tally.skipped += 1;
      this.lines.push(`  skipped  ${result.fullname || result.name}: ${result.skip || result.todo}`);
    } else if (result.ok) {
      tally.passed += 1;
    } else {
      tally.failed += 1;
      this.failed += 1;
      this.lines.push(...failureLines(result));
    }
  }

  /** Follows a parser; the line that sums up a subtest is no assertion of its own, unless nothing in it failed. */
  follow(parser) {
    let before;
    parser.on('child', (child) => {
      before = this.failed;
      this.follow(child);
    });
    parser.on('assert', (result) => {
      const sumsUp = before !== undefined && !result.skip && !result.todo;
      if (!sumsUp || (!result.ok && this.failed === before)) this.count(result);
      before = undefined;
    });
    parser.on('comment', (comment) => {
      if (comment.startsWith('# figure: ')) this.lines.push(`  ${comment.slice(2).trimEnd()}`);
    });
    parser.on('bailout', (reason) => this.count({ ok: false, name: `bailed out: ${reason}` }));
  }
}

/** Runs compiled tests under one Node.js; first those that share the machine. */
async function runTests(node, files) {
  await inTurns(
    JOBS,
    node,
    files.filter((file) => !alone(file)),
  );
  await inTurns(1, node, files.filter(alone));
}

async function inTurns(jobs, node, files) {
  const waiting = [...files];
  const work = async () => {
    for (let file = waiting.shift(); file; file = waiting.shift()) await runFile(node, file);
  };
  await Promise.all(Array.from({ length: jobs }, work));
}

/**
 * Runs one file. Not by `tap run`, which loads itself into each process that a test starts (NODE_OPTIONS): most of these
 * are daemons and clients, and would take twice the time.
 */
async function runFile(node, file) {
  const name = relative(root, file);
  const parser = new Parser({ name });
  const results = new Results();
  results.follow(parser);
  const began = performance.now();
  const child = spawn(node, [file], {
    cwd: root,
    env: { ...process.env, TAP: '1', TAP_TIMEOUT: String(TIMEOUT_S) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const killing = setTimeout(() => child.kill('SIGKILL'), KILLED_AFTER_MS);
  const parsed = new Promise((resolve) => parser.once('complete', resolve));
  child.stdout.pipe(parser);
  const how = await new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));
  clearTimeout(killing);
  const { plan } = await parsed;
  if (plan.skipAll) results.count({ skip: plan.comment, name });
  if (how !== 0 && results.failed === 0) results.count({ ok: false, name: `${name} ended with ${how}` });
  const shown = name.replace('test/dist/', 'test/').replace(/js$/, 'ts');
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log([...results.lines, `${results.failed ? 'FAILED' : 'ok'}  ${shown} (${seconds} s)`].join('\n'));
}

const asked = process.argv.slice(2);
await bundlePrograms(runtimeNode);
console.log(`# Node.js ${execFileSync(runtimeNode, ['--version'], { encoding: 'utf8' }).trim()}`);
const files = (asked.length > 0 ? asked : ['test']).flatMap(testsIn);
if (files.some((file) => file.startsWith(packageTests))) {
  // Where it cannot be built, its tests say why.
  spawnSync(process.execPath, [join(root, 'scripts/package.mjs')], { stdio: ['ignore', 2, 2] });
}
await runTests(runtimeNode, files);
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
process.exitCode = tally.failed > 0 ? 1 : 0;
