/**
 * Runs one test file in a process of its own. Not by `tap run`, which loads itself into each process that a
 * test starts (NODE_OPTIONS): most of these are daemons and clients, and would take twice the time.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../command.mjs';
import { compiledOf } from './files.mjs';
import { Results } from './results.mjs';

/** For tap: of a test that sets no timeout of its own. */
const TIMEOUT_S = 120;
/** Of a file that does not end by itself. */
const KILLED_AFTER_MS = 900_000;

/** Runs a command, then writes the processor time of the shell and that of its children to fd 3. */
const TIMED = `"$@" 3>&-; code=$?; times >&3; exit $code`;

/**
 * Seconds, from `times` of the shell: its second line is of the children, user and system, such as `0m1.50s
 * 0m0.25s`.
 */
export function processorSeconds(output) {
  const [, children = ''] = output.split('\n');
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  );
}

/** Kills a process, and first its children: a shell that is killed leaves the command that it waits for. */
function kill(child) {
  const { pid } = child;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  for (const each of children ? children.split(' ') : []) process.kill(Number(each), 'SIGKILL');
  child.kill('SIGKILL');
}

/**
 * @param timed Whether its processor time is measured.
 * @returns The results, and seconds of wall time and of processor time.
 */
export async function runFile(node, file, { timed = false, env = {} } = {}) {
  const results = new Results(file);
  const began = performance.now();
  const command = timed ? ['sh', '-c', TIMED, 'sh', node] : [node];
  const child = spawn(command[0], [...command.slice(1), compiledOf(file)], {
    cwd: root,
    env: {
      ...process.env,
      TAP: '1',
      TAP_TIMEOUT: String(TIMEOUT_S),
      // Of tap, mostly. Programs that a test starts do not get it (plainEnvironment()).
      // Not with coverage, which is less precise for cached functions.
      ...(!env.NODE_V8_COVERAGE && { NODE_COMPILE_CACHE: join(root, '.setup/compile-cache') }),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit', ...(timed ? ['pipe'] : [])],
  });
  const killing = setTimeout(() => kill(child), KILLED_AFTER_MS);
  child.stdout.pipe(results.parser);
  let times = '';
  child.stdio[3]?.setEncoding('utf8').on('data', (text) => {
    times += text;
  });
  const how = await new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));
  clearTimeout(killing);
  await results.end(how);
  return { results, wall: (performance.now() - began) / 1000, processor: processorSeconds(times) };
}
