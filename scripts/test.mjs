/**
 * Runs the tests: all of them under the Node.js that runs this, the spine again under Node 24 where npm could
 * install one. Prints the tests' own report and ends with `N passed, N failed, N skipped`, counted over the single
 * assertions. Arguments are files or folders of test/ to run instead of all (such as `npm test -- test/client`).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Parser } from 'tap-parser';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tally = { passed: 0, failed: 0, skipped: 0 };

/** The compiled tests at or below a path inside test/. */
function testsIn(path) {
  const compiled = join(root, 'test/dist', relative('test', path).replace(/\.ts$/, '.js'));
  if (compiled.endsWith('.js')) return [compiled];
  return readdirSync(compiled, { recursive: true })
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => join(compiled, file))
    .sort();
}

/** Counts assertions, not the summaries of the subtests that hold them. */
function count(parser) {
  let summary = false;
  parser.on('child', (child) => {
    summary = true;
    count(child);
  });
  parser.on('assert', (result) => {
    const ofChild = summary;
    summary = false;
    if (result.skip || result.todo) tally.skipped += 1;
    else if (!result.ok && !ofChild) tally.failed += 1;
    else if (!ofChild) tally.passed += 1;
  });
  parser.on('bailout', () => {
    tally.failed += 1;
  });
}

function runTests(node, files) {
  const folder = mkdtempSync(join(tmpdir(), 'vkmemd-test-'));
  const output = join(folder, 'output.tap');
  try {
    const tap = join(root, 'node_modules/tap/dist/esm/run.mjs');
    const args = [tap, 'run', `--output-file=${output}`, '--reporter=terse', ...files];
    const { status } = spawnSync(node, args, { cwd: root, stdio: 'inherit' });
    const parser = new Parser();
    count(parser);
    parser.end(existsSync(output) ? readFileSync(output, 'utf8') : '');
    if (status !== 0 && tally.failed === 0) tally.failed = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const asked = process.argv.slice(2);
console.log(`# Node.js ${process.version}`);
runTests(process.execPath, (asked.length > 0 ? asked : ['test']).flatMap(testsIn));
if (asked.length === 0) {
  const node24 = join(root, 'test/node24/node_modules', `node-linux-${process.arch}`, 'bin/node');
  if (existsSync(node24)) {
    console.log('# Node.js 24: the spine');
    runTests(node24, testsIn('test/spine'));
  } else {
    console.log(`# SKIP the spine under Node.js 24: npm has no node-linux-${process.arch} here`);
    tally.skipped += 1;
  }
}
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
process.exitCode = tally.failed > 0 ? 1 : 0;
