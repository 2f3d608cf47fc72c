/**
 * Steps of the set-up are done once: a stamp beside the result contains a digest of the step's inputs.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './command.mjs';

/** All files below `paths` that match, sorted, without build output and dependencies. */
export function sources(paths, pattern) {
  const left = new Set(['node_modules', 'dist', 'build', '.git']);
  const walk = (path) =>
    readdirSync(join(root, path), { withFileTypes: true }).flatMap((entry) => {
      const inner = join(path, entry.name);
      if (entry.isDirectory()) return left.has(entry.name) ? [] : walk(inner);
      return pattern.test(entry.name) ? [inner] : [];
    });
  return paths.flatMap(walk).sort();
}

export function digest(files, ...more) {
  const hash = createHash('sha256').update(more.join('\0'));
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/** Runs `work`, unless `stamp` shows that it was done for these inputs and its result still exists. */
export async function once(stamp, inputs, result, work) {
  const file = join(root, stamp);
  const done = existsSync(file) && readFileSync(file, 'utf8') === inputs && existsSync(join(root, result));
  if (done) return;
  await work();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, inputs);
}

/** The Node.js that belongs to vkmemd, which the set-up installs (daemon/runtime). */
export const runtimeNode = join(root, `daemon/runtime/node_modules/node-linux-${process.arch}/bin/node`);

/** The prefix of its headers, for npm and node-gyp. */
export const nodeHeaders = () => dirname(dirname(runtimeNode));
