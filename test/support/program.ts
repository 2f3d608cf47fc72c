/**
 * Node.js programs that a test runs to their end, as a user would run them.
 */
import { spawn } from 'node:child_process';

/** How a program ended, and what it printed. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs Node.js with these arguments; resolves when it has ended by itself.
 * @param env Default: this process's.
 * @param fds Borrowed; they are the program's 3, 4, ...
 */
export function runNode(
  args: readonly string[],
  env = process.env,
  fds: readonly number[] = [],
): Promise<Ended> {
  const stdio = ['ignore' as const, 'pipe' as const, 'pipe' as const, ...fds];
  const child = spawn(process.execPath, args, { stdio, env });
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
