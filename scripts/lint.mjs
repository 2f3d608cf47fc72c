/**
 * Runs all checks of style: biome, clang-format, buf, the imports between folders, the docstrings of the
 * public API, and the repository's own rules. Fails if any of them fails.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { versionFaults } from './versions.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, 'node_modules/.bin', name);
const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter(Boolean);

function check(what, command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  console.log(`lint: ${what}: ${status === 0 ? 'ok' : `failed ${error?.message ?? ''}`}`);
  if (status !== 0) process.exitCode = 1;
}

check('biome', bin('biome'), ['check', '--error-on-warnings', '.']);
check('buf', bin('buf'), ['lint'], { cwd: join(root, 'proto') });
check('buf format', bin('buf'), ['format', '--diff', '--exit-code'], { cwd: join(root, 'proto') });
check('arrows', bin('depcruise'), ['--config', '.dependency-cruiser.cjs', 'daemon', 'client', 'proto']);
check('docs:api', process.execPath, ['scripts/docs-api.mjs', '--check']);
const native = tracked.filter((file) => /\.(cc|h|c)$/.test(file));
check('clang-format', 'clang-format', ['--dry-run', '--Werror', ...native]);

const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
const fetched = Object.entries(lock.packages).filter(([, entry]) => /^https?:/.test(entry.resolved ?? ''));
console.log(
  `lint: package-lock names no registry: ${fetched.length === 0 ? 'ok' : `failed: ${fetched[0][0]}`}`,
);
if (fetched.length > 0) process.exitCode = 1;

const faults = versionFaults(root);
console.log(`lint: versions: ${faults.length === 0 ? 'ok' : `failed: ${faults.join('; ')}`}`);
if (faults.length > 0) process.exitCode = 1;
