/**
 * The implementation of failpoints for tests, which `node --conditions=vkmemd-test` loads in place of
 * failpoint.ts. The process kills itself at the failpoint that the file $VKMEMD_TEST_FAILPOINT names, once.
 * This file is never installed.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';

const file = process.env.VKMEMD_TEST_FAILPOINT;

export function failpoint(name: string): void {
  if (!file || !existsSync(file) || readFileSync(file, 'utf8') !== name) return;
  rmSync(file);
  process.kill(process.pid, 'SIGKILL');
}
