/**
 * What the parts of the set-up share: it speaks on standard error, and runs commands whose output goes there too.
 * Exit code 69 (EX_UNAVAILABLE): the system lacks something that could not be installed.
 */
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const EX_UNAVAILABLE = 69;

export const say = (text) => process.stderr.write(`setup: ${text}\n`);

export function fail(text, code = 1) {
  say(text);
  process.exit(code);
}

/**
 * Runs a command with its output on standard error; calls `failed`, or ends the set-up, where it fails. Resolves when it
 * has ended.
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
