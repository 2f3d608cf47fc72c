/**
 * vkmemctl as a person or a script runs it.
 */
import { join } from 'node:path';
import { root } from '../support/daemon.js';
import { type Ended, runNode } from '../support/program.js';

export const program = join(root, 'client/dist/cli/main.js');

/** Runs vkmemctl against the daemon in the folder. */
export function vkmemctl(runtimeDir: string, ...args: readonly string[]): Promise<Ended> {
  return runNode([program, '--runtime-dir', runtimeDir, ...args]);
}

/** The one JSON object that it printed. */
// biome-ignore lint/suspicious/noExplicitAny: each test says what it expects of it
export function parsed({ stdout }: Ended): any {
  return JSON.parse(stdout);
}
