/**
 * Failpoints as tests have them, in the place of failpoint.ts (`node --conditions=vkmemd-test`): the process
 * kills itself at the one that the file $VKMEMD_TEST_FAILPOINT names, once. Never part of what is installed.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';

const file = process.env.VKMEMD_TEST_FAILPOINT;

export function failpoint(name: string): void {
  if (!file || !existsSync(file) || readFileSync(file, 'utf8') !== name) return;
  rmSync(file);
  process.kill(process.pid, 'SIGKILL');
}
