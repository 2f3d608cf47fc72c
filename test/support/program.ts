/** Runs programs until they end, as a user would. */
import { spawn } from 'node:child_process';

/** How a program ended, and its output. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Node.js with these arguments: runProgram(). */
export function runNode(
  args: readonly string[],
  env = process.env,
  fds: readonly number[] = [],
): Promise<Ended> {
  return runProgram(process.execPath, args, env, fds);
}

/**
 * Runs a program with these arguments. Resolves when it has ended by itself.
 * @param env Default: this process's.
 * @param fds Borrowed; they become the program's fds 3, 4, ...
 */
export function runProgram(
  program: string,
  args: readonly string[],
  env = process.env,
  fds: readonly number[] = [],
): Promise<Ended> {
  const stdio = ['ignore' as const, 'pipe' as const, 'pipe' as const, ...fds];
  const child = spawn(program, args, { stdio, env });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
