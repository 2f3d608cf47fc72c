/**
 * Functions that all parts of the set-up use: messages, and commands whose output is printed. All output goes
 * to standard error. Exit code 69 (EX_UNAVAILABLE): a package that the system lacks could not be installed.
 */
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root folder of the checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const EX_UNAVAILABLE = 69;

export const say = (text) => process.stderr.write(`setup: ${text}\n`);

export function fail(text, code = 1) {
  say(text);
  process.exit(code);
}

/**
 * Runs a command with its output on standard error. Resolves when it has ended.
 * @param options Options of spawn(). If the command fails, `failed` is called; without `failed` the set-up
 *   exits.
 */
export async function run(what, command, args, { failed, ...options } = {}) {
  const begun = Date.now();
  say(`${what} …`);
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  const how = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? undefined : `exit ${code ?? signal}`));
  });
  if (how !== undefined && failed) return failed();
  if (how !== undefined) fail(`${what} failed: ${command} ${args.join(' ')} (${how})`);
  say(`${what}: ${((Date.now() - begun) / 1000).toFixed(1)} s`);
}
