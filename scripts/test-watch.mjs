/**
 * `npm run test:watch [FILE|FOLDER]...`: compiles on every change (tsc --build --watch), then runs tests.
 *
 * Without FILE it runs the test files whose compiled module changed, or a module that they import, directly or
 * not. A test that starts a daemon as a process does not import it; name such a file: with FILE, every change
 * that compiles runs it. Long files, and those of test/boot, test/chaos, test/gpu, test/package and test/vm,
 * are only run when named. Ctrl-C ends the compiler and the tests.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from './command.mjs';
import { compiledOf, testsIn } from './test/files.mjs';
import { readTimes, wallSeconds } from './test/times.mjs';

const MAX_FILE_S = 20;
const NOT_BY_DEFAULT = /^test\/(boot|vm|package|chaos)\//;
/** The packages of the workspace, by which tests import them. */
const PACKAGES = ['@vkmemd/proto', '@vkmemd/client', 'vkmemd'];
/** The compiler writes them when it has compiled something. */
const BUILDS = ['proto', 'daemon', 'client/typescript', 'test'].map((part) =>
  join(root, part, 'dist/tsconfig.tsbuildinfo'),
);
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g;

const asked = process.argv.slice(2);
const times = readTimes();
const require = createRequire(join(root, 'package.json'));

/** The test files that are watched; new ones count. */
function watched() {
  const byDefault = (file) => !NOT_BY_DEFAULT.test(file) && (wallSeconds(times, file) ?? 0) <= MAX_FILE_S;
  return asked.length > 0 ? asked.flatMap(testsIn) : testsIn('test').filter(byDefault);
}

/** The compiled module that an import names; undefined for one that is not ours. */
function target(from, name) {
  if (name.startsWith('.')) return resolve(dirname(from), name);
  const owner = PACKAGES.find((each) => name === each || name.startsWith(`${each}/`));
  return owner && realpathSync(require.resolve(name));
}

/** Modules as they were last read. */
const modules = new Map();

/** What a compiled module imports, read again when it has changed. */
function importsOf(path) {
  const { mtimeMs } = statSync(path);
  if (modules.get(path)?.mtimeMs !== mtimeMs) {
    const names = [...readFileSync(path, 'utf8').matchAll(IMPORT)].map(([, name]) => name);
    const imports = names.map((name) => target(path, name)).filter((each) => each && existsSync(each));
    modules.set(path, { mtimeMs, imports });
  }
  return modules.get(path);
}

/** When a test file or one of its imports was compiled last. */
function newest(entry) {
  const seen = new Set([entry]);
  let latest = 0;
  for (const path of seen) {
    const { mtimeMs, imports } = importsOf(path);
    latest = Math.max(latest, mtimeMs);
    for (const each of imports) seen.add(each);
  }
  return latest;
}

function compiledAt(file) {
  if (!existsSync(compiledOf(file))) return 0;
  return asked.length > 0
    ? Math.max(...BUILDS.map((path) => statSync(path).mtimeMs))
    : newest(compiledOf(file));
}

/** Test file -> compiledAt() of its last run. */
const ranAt = new Map();
let running;
let again = false;

/** Runs the files that changed, and again for what changed meanwhile. */
async function runChanged() {
  if (running) {
    again = true;
    return;
  }
  const changed = watched().filter((file) => compiledAt(file) > (ranAt.get(file) ?? 0));
  for (const file of changed) ranAt.set(file, compiledAt(file));
  if (changed.length > 0) {
    console.log(`# ${changed.length} test files changed`);
    running = spawn(process.execPath, ['scripts/test.mjs', ...changed], { cwd: root, stdio: 'inherit' });
    await new Promise((done) => running.once('close', done));
    running = undefined;
  }
  if (again) {
    again = false;
    await runChanged();
  }
}

const tsc = join(root, 'node_modules/typescript/bin/tsc');
const compiler = spawn(process.execPath, [tsc, '--build', '--watch', '--preserveWatchOutput'], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
});
let first = true;
createInterface({ input: compiler.stdout }).on('line', (line) => {
  const found = /Found (\d+) errors?\. Watching/.exec(line);
  if (found?.[1] !== '0') {
    if (line.trim() && !/ompilation/.test(line)) console.log(line);
    return;
  }
  if (first) {
    first = false;
    for (const file of watched()) ranAt.set(file, compiledAt(file));
    console.log(`# watching ${ranAt.size} test files; Ctrl-C ends it`);
    if (asked.length === 0) return;
    ranAt.clear();
  }
  runChanged();
});

/** The terminal's Ctrl-C reaches the compiler and the tests too; SIGTERM does not. */
function end() {
  compiler.kill();
  running?.kill();
}
process.once('SIGINT', end);
process.once('SIGTERM', end);
