/** Runs vkmemctl as a user or a script does. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { plainEnvironment, plainNode, root } from '../support/daemon.js';
import { type Ended, runNode } from '../support/program.js';

export const program = join(root, 'client/typescript/bin/vkmemctl.js');

/** Runs vkmemctl against the daemon in the folder. */
export function vkmemctl(runtimeDir: string, ...args: readonly string[]): Promise<Ended> {
  return runNode([program, '--runtime-dir', runtimeDir, ...args]);
}

/** The only JSON object that it printed. */
// biome-ignore lint/suspicious/noExplicitAny: each test states the fields that it expects
export function parsed({ stdout }: Ended): any {
  return JSON.parse(stdout);
}

/** A command that `vkmemctl exec` runs, and how it ended, with a signal's name in place of the code. */
export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  /** Its first line of output, as JSON. @throws Error if it ended without one. */
  // biome-ignore lint/suspicious/noExplicitAny: each test states the fields that it expects
  readonly said: Promise<any>;
  readonly ended: Promise<{ code: number | string | null; stdout: string; stderr: string }>;
}

/** The compiled program that reports what it inherited. */
export const inheritingProgram = join(root, 'test/dist/cli/inheriting-program.js');

/**
 * Starts vkmemctl exec against the daemon in the folder.
 * @param args its options and the command.
 * @param uid runs it as this user, with the group of the same number.
 */
export function execute(
  runtimeDir: string,
  args: readonly string[],
  env = plainEnvironment(),
  uid?: number,
): Running {
  const user = uid === undefined ? {} : { uid, gid: uid };
  const child = spawn(...plainNode([program, '--runtime-dir', runtimeDir, 'exec', ...args]), {
    env,
    ...user,
  });
  let stdout = '';
  let stderr = '';
  let line: (text: string) => void = () => {};
  const first = new Promise<string>((resolve) => {
    line = resolve;
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (stdout.includes('\n')) line(stdout.slice(0, stdout.indexOf('\n')));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // The exit code reports the end.
  child.stdin.on('error', () => {});
  const ended = new Promise<Awaited<Running['ended']>>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: code ?? signal, stdout, stderr }));
  });
  const early = ended.then(({ code }) => Promise.reject(new Error(`it ended with ${code}: ${stderr}`)));
  const said = Promise.race([first, early]).then((text) => JSON.parse(text));
  said.catch(() => {});
  early.catch(() => {});
  return { child, said, ended };
}

/** Runs it to its end, with an empty input. */
export function executed(...operands: Parameters<typeof execute>): Running['ended'] {
  const { child, ended } = execute(...operands);
  child.stdin.end();
  return ended;
}
