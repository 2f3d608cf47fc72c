/**
 * The fuzzer of the addon's receive path (receive.cc): first the committed corpus, then VKMEMD_FUZZ_SECONDS
 * (30) of new inputs derived from it. Its findings stay in a temporary folder; a failing input is printed in
 * the failure's text, to be committed by hand (CONTRIBUTING.md describes how).
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import t, { type Test } from 'tap';
import { plainEnvironment, root, temporaryFolder } from '../support/daemon.js';

const PROGRAM = join(root, 'test/fuzz/build/receive');
const CORPUS = join(root, 'test/fuzz/corpus/receive');
const SECONDS = Number(process.env.VKMEMD_FUZZ_SECONDS ?? 30);
/** An input takes a millisecond; one that takes this long is a hang. */
const HANG_SECONDS = 30;
const GRACE_MS = 120_000;
const LAST_LINES = 100;

t.setTimeout(SECONDS * 1000 + GRACE_MS);
const skip = !existsSync(PROGRAM) && 'not built: clang++ with libFuzzer is neither installed nor installable';

interface Run {
  readonly code: number | string | null;
  readonly output: string;
  /** The failing input, if there is one. */
  readonly input: Buffer | undefined;
}

/** Runs it in a folder of its own, to which it writes its findings. */
function fuzz(t: Test, options: readonly string[]): Promise<Run> {
  const folder = temporaryFolder(t);
  const found = join(folder, 'found');
  mkdirSync(found);
  const own = [`-artifact_prefix=${folder}/failed-`, `-timeout=${HANG_SECONDS}`, '-print_final_stats=1'];
  const env = { ...plainEnvironment(), ASAN_OPTIONS: 'quarantine_size_mb=64' };
  const child = spawn(PROGRAM, [...own, ...options, found, CORPUS], { cwd: folder, env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    t.teardown(() => child.kill('SIGKILL'));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const failed = readdirSync(folder).find((name) => name.startsWith('failed-'));
      const input = failed === undefined ? undefined : readFileSync(join(folder, failed));
      resolve({ code: code ?? signal, output, input });
    });
  });
}

/** Asserts that no input failed. The failure contains the command that repeats it. */
function requireNoFailure(t: Test, what: string, { code, output, input }: Run): void {
  const second = `echo '${input?.toString('base64')}' | base64 -d > failed && ${relative(root, PROGRAM)} failed`;
  t.equal(code, 0, what, {
    ...(input && { again: second }),
    ...(code !== 0 && { output: output.split('\n').slice(-LAST_LINES).join('\n') }),
  });
}

t.test('no input makes the receive path fail', { skip, timeout: SECONDS * 1000 + GRACE_MS }, async (t) => {
  const retained = readdirSync(CORPUS);
  t.ok(retained.length > 10, `${retained.length} inputs in the corpus`);
  requireNoFailure(t, 'the corpus', await fuzz(t, ['-runs=0']));
  if (SECONDS === 0) return;

  const run = await fuzz(t, [`-max_total_time=${SECONDS}`, '-max_len=600']);
  requireNoFailure(t, `${SECONDS} s of new inputs`, run);
  const executed = Number(/number_of_executed_units: (\d+)/.exec(run.output)?.[1] ?? 0);
  t.ok(executed > 10 * retained.length, 'many inputs were executed');
  t.comment(`figure: ${executed} inputs, ${Math.round(executed / SECONDS)} a second`);
});
