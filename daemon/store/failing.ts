/**
 * The implementation of failpoints for tests, which `node --conditions=vkmemd-test` loads in place of
 * failpoint.ts. The file $VKMEMD_TEST_FAILPOINT names a failpoint, at which the process kills itself, once. Or
 * it has `NAME ERRNO PATTERN`: of the calls of this failpoint those fail whose character in the repeated
 * pattern is 1. This file is never installed.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';

const file = process.env.VKMEMD_TEST_FAILPOINT;
const calls = new Map<string, number>();

export function failpoint(name: string): void {
  if (!file || !existsSync(file)) return;
  const [wanted, errno, pattern] = readFileSync(file, 'utf8').split(' ');
  if (wanted !== name) return;
  if (errno !== undefined && pattern !== undefined) {
    const at = calls.get(name) ?? 0;
    calls.set(name, at + 1);
    if (pattern[at % pattern.length] === '0') return;
    const code = errno === 'MDB_PANIC' ? -30795 : constants.errno[errno as keyof typeof constants.errno];
    throw Object.assign(new Error(`made to fail: ${errno}`), { code });
  }
  rmSync(file);
  process.kill(process.pid, 'SIGKILL');
}
