/**
 * What the parts of the set-up share: it speaks on standard error, and runs commands whose output goes there too.
 * Exit code 69 (EX_UNAVAILABLE): the system lacks something that could not be installed.
 */
import { spawnSync } from 'node:child_process';
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

/** Runs a command with its output on standard error; calls `failed`, or ends the set-up, where it fails. */
export function run(what, command, args, { failed, ...options } = {}) {
  const begun = Date.now();
  say(`${what} …`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (status !== 0 && failed) return failed();
  if (status !== 0)
    fail(`${what} failed: ${command} ${args.join(' ')} (${error?.message ?? `exit ${status}`})`);
  say(`${what}: ${((Date.now() - begun) / 1000).toFixed(1)} s`);
}
