/**
 * The implementation of failpoints for tests, which `node --conditions=vkmemd-test` loads in place of
 * failpoint.ts. Each line of the file $VKMEMD_TEST_FAILPOINT is
 *
 *   NAME                  the process kills itself at this failpoint, once
 *   NAME SIGKILL PATTERN  the same, at the first of its calls whose character in the repeated pattern is 1
 *   NAME ERROR PATTERN    those of its calls fail whose character in the repeated pattern is 1
 *
 * ERROR is an errno, or MDB_PANIC or MDB_MAP_FULL of LMDB. This file is never installed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';

const file = process.env.VKMEMD_TEST_FAILPOINT;
const CODES: Readonly<Record<string, number>> = {
  ...constants.errno,
  MDB_PANIC: -30795,
  MDB_MAP_FULL: -30792,
};
/** How often each line was met. */
const calls = new Map<string, number>();

export function failpoint(name: string): void {
  const lines = linesOf(file);
  for (const line of lines) {
    const [wanted, action = 'SIGKILL', pattern = '1'] = line.split(' ');
    if (wanted !== name) continue;
    const at = calls.get(line) ?? 0;
    calls.set(line, at + 1);
    if (pattern[at % pattern.length] === '0') continue;
    if (action === 'SIGKILL') killOnce(lines.filter((other) => other !== line));
    throw Object.assign(new Error(`made to fail: ${action}`), { code: CODES[action] });
  }
}

function linesOf(file: string | undefined): string[] {
  try {
    return file ? readFileSync(file, 'utf8').split('\n') : [];
  } catch {
    return []; // There is none.
  }
}

/** @param rest The lines that the next process finds. */
function killOnce(rest: readonly string[]): void {
  writeFileSync(file as string, rest.join('\n'));
  process.kill(process.pid, 'SIGKILL');
}
