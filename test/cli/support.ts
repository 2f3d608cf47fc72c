/**
 * vkmemctl as a person or a script runs it.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { plainEnvironment, plainNode, root } from '../support/daemon.js';
import { type Ended, runNode } from '../support/program.js';

export const program = join(root, 'client/typescript/dist/cli/main.js');

/** Runs vkmemctl against the daemon in the folder. */
export function vkmemctl(runtimeDir: string, ...args: readonly string[]): Promise<Ended> {
  return runNode([program, '--runtime-dir', runtimeDir, ...args]);
}

/** The one JSON object that it printed. */
// biome-ignore lint/suspicious/noExplicitAny: each test says what it expects of it
export function parsed({ stdout }: Ended): any {
  return JSON.parse(stdout);
}

/** A command that `vkmemctl exec` runs; how it ended, with a signal's name in the place of the code. */
export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  /** Its first line of output, as JSON. @throws Error where it ended without. */
  // biome-ignore lint/suspicious/noExplicitAny: each test says what it expects of it
  readonly said: Promise<any>;
  readonly ended: Promise<{ code: number | string | null; stdout: string; stderr: string }>;
}

/** The compiled program that reports what it inherited. */
export const inheritingProgram = join(root, 'test/dist/cli/inheriting-program.js');

/**
 * Starts vkmemctl exec against the daemon in the folder.
 * @param args its options and the command. @param uid as another user, whose group has the same number.
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
  // The exit code says that it has ended.
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

/** Runs it to its end, with nothing to read. */
export function executed(...operands: Parameters<typeof execute>): Running['ended'] {
  const { child, ended } = execute(...operands);
  child.stdin.end();
  return ended;
}
