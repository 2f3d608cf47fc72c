/**
 * vkmemctl as a person or a script runs it.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../support/daemon.js';

const program = join(root, 'client/dist/cli/main.js');

/** How it ended, and what it printed. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs vkmemctl against the daemon in the folder. */
export function vkmemctl(runtimeDir: string, ...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [program, '--runtime-dir', runtimeDir, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** The one JSON object that it printed. */
// biome-ignore lint/suspicious/noExplicitAny: each test says what it expects of it
export function parsed({ stdout }: Ended): any {
  return JSON.parse(stdout);
}
