/**
 * Runs test files under AddressSanitizer and UndefinedBehaviorSanitizer.
 *
 * A file runs unchanged, on a copy of the workspace that has the instrumented addons (overlay.ts). Child
 * processes inherit the sanitizers, so an error in a daemon is detected too: a report of any process fails
 * the file that ran then. Limits: Node.js and the drivers are not instrumented, so their memory accesses are
 * not checked, except through malloc, free and the C library's functions. Leaks are not checked, because
 * Node.js ends without freeing.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Parser } from 'tap-parser';
import { plainEnvironment, temporaryFolder } from '../support/daemon.js';
import { makeOverlay } from './overlay.js';

/** For all files of one test. */
const LONG_MS = 900_000;
const FILE_SECONDS = 300;
/** Exit code of a process that a sanitizer ended. */
export const FOUND = 99;

/** The environment of a program, with the sanitizers' reports going to the folder `reports`. */
export function sanitizedEnvironment(reports: string): NodeJS.ProcessEnv {
  const plain = Object.entries(plainEnvironment()).filter(([name]) => !/^_?TAP/.test(name));
  // The addons are shared objects in a program without instrumentation: the sanitizer must be loaded before
  // the program's malloc.
  const library = execFileSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
  const common = (name: string) => `log_path=${reports}/${name}:exitcode=${FOUND}:halt_on_error=1`;
  const asan = [
    common('address'),
    'detect_leaks=0',
    'allocator_may_return_null=1',
    'detect_stack_use_after_return=1',
    // The amount of freed memory that stays quarantined. The default, 256, adds seconds to each Node.js
    // process.
    'quarantine_size_mb=32',
  ];
  return {
    ...Object.fromEntries(plain),
    TAP_TIMEOUT: String(FILE_SECONDS),
    LD_PRELOAD: realpathSync(library),
    ASAN_OPTIONS: asan.join(':'),
    UBSAN_OPTIONS: `${common('undefined')}:print_stacktrace=1`,
  };
}

interface Outcome {
  readonly code: number | string | null;
  readonly passed: number;
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
  readonly stderr: string;
}

/** Counts the assertions of a file, without the line that sums up a subtest. */
function follow(parser: Parser, failed: string[], skipped: string[], pass: () => void): void {
  let sumsUp = false;
  parser.on('child', (child: Parser) => {
    sumsUp = true;
    follow(child, failed, skipped, pass);
  });
  parser.on('assert', ({ ok, fullname, name, skip }) => {
    if (skip) skipped.push(`${fullname || name}: ${skip}`);
    else if (!ok) failed.push(fullname || name);
    else if (!sumsUp) pass();
    sumsUp = false;
  });
}

async function runFile(folder: string, file: string, env: NodeJS.ProcessEnv): Promise<Outcome> {
  const child = spawn(process.execPath, [file], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const parser = new Parser();
  const failed: string[] = [];
  const skipped: string[] = [];
  let passed = 0;
  let stderr = '';
  follow(parser, failed, skipped, () => {
    passed += 1;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const parsed = new Promise((resolve) => parser.once('complete', resolve));
  child.stdout.pipe(parser);
  const code = await new Promise<number | string | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit, signal) => resolve(exit ?? signal));
  });
  await parsed;
  return { code, passed, failed, skipped, stderr };
}

/** Creates the folder of one run's reports, writable for processes of any user. */
export function makeReports(folder: string): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o777);
}

/** The sanitizers' reports in a folder. */
export const reportsIn = (reports: string): string[] =>
  readdirSync(reports).map((name) => readFileSync(join(reports, name), 'utf8'));

/** A test that a file passes without a report of a sanitizer. */
function testFile(t: Test, folder: string, file: string): void {
  const name = file.replace('test/dist/', 'test/').replace(/js$/, 'ts');
  t.test(name, { timeout: LONG_MS }, async (t) => {
    const reports = join(folder, 'reports', file.replaceAll('/', '-'));
    makeReports(reports);
    const { code, passed, failed, skipped, stderr } = await runFile(
      folder,
      file,
      sanitizedEnvironment(reports),
    );
    t.strictSame(reportsIn(reports), [], 'no sanitizer report');
    t.strictSame({ code, failed }, { code: 0, failed: [] }, `${passed} assertions passed`, {
      ...(code !== 0 && { stderr }),
    });
    for (const reason of skipped) t.comment(`skipped: ${reason}`);
  });
}

/**
 * Tests for compiled test files, such as 'native' for all of a folder or 'daemon/import.test.js'.
 * @returns the copy of the workspace that they run on.
 */
export function testSanitized(t: Test, paths: readonly string[]): string {
  t.setTimeout(LONG_MS);
  const folder = temporaryFolder(t);
  // Parts of the tests run as other users.
  chmodSync(folder, 0o755);
  makeOverlay(folder);
  const inFolder = (path: string) =>
    readdirSync(join(folder, 'test/dist', path))
      .filter((name) => name.endsWith('.test.js'))
      .sort()
      .map((name) => join(path, name));
  const files = paths.flatMap((path) => (path.endsWith('.js') ? [path] : inFolder(path)));
  for (const file of files) testFile(t, folder, join('test/dist', file));
  return folder;
}
