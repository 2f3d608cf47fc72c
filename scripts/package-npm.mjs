/**
 * The npm packages, in dist-package/npm: @vkmemd/proto, @vkmemd/client, vkmemd, and unix-dgram built for vkmemd's Node.js, of
 * what is compiled already. Prints the path of each tarball. See packaging/npm/README.md.
 *
 * They are for the platform of the checkout, with its addons. `--all` builds the addons of all platforms instead, which takes
 * about 20 minutes the first time. `--output FOLDER` writes the tarballs there.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { addons, hostPlatform, PLATFORMS } from '../packaging/npm/addons.mjs';
import { stagePackages } from '../packaging/npm/packages.mjs';
import { root, say } from './command.mjs';

const kib = (bytes) => `${Math.ceil(bytes / 1024)} KiB`;

/** @returns the path of the tarball. */
function pack(folder, into) {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', into];
  const [packed] = Object.values(JSON.parse(execFileSync('npm', args, { cwd: folder, encoding: 'utf8' })));
  const file = join(into, packed.filename);
  const installed = kib(packed.unpackedSize);
  say(`${packed.filename}: ${kib(statSync(file).size)}, installed ${installed}, ${packed.entryCount} files`);
  return file;
}

const { output, all = false } = parseArgs({
  options: { output: { type: 'string' }, all: { type: 'boolean' } },
}).values;
const into = output === undefined ? join(root, 'dist-package/npm') : resolve(output);
if (!all) say(`for ${hostPlatform}; \`npm run package:npm -- --all\` builds for ${PLATFORMS.join(', ')}`);
const platforms = await addons(all);
const work = mkdtempSync(join(tmpdir(), 'vkmemd-npm-'));
try {
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into, { recursive: true });
  for (const folder of stagePackages(work, platforms)) process.stdout.write(`${pack(folder, into)}\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
