/**
 * What a Debian package for another processor needs: Node.js and addons for that processor, and V8's cached
 * data, which only that Node.js can make. It runs under qemu-user, with the C library of Debian's packages
 * for cross-building.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { CACHE_SCRIPTS, CACHES, makeCaches } from '../scripts/caches.mjs';
import { EX_UNAVAILABLE, fail, root, run, say } from '../scripts/command.mjs';
import { digest, once } from '../scripts/inputs.mjs';
import { installPackages } from '../scripts/packages.mjs';
import { stage } from './contents.mjs';
import { buildAddons } from './npm/addons.mjs';
import { packagesFor } from './platform.mjs';

const RUNTIME_LOCK = 'daemon/runtime/package-lock.json';

/** A project of the packages that are for one processor alone, as the lock files have them. */
async function installModules({ arch, folder, node, find }) {
  const inputs = digest(['package-lock.json', RUNTIME_LOCK], 'v1');
  await once(`${folder}/.inputs`, inputs, join(find(node), 'bin/node'), async () => {
    const packages = [...packagesFor(arch)].map(([path, entry]) => [
      path.slice(path.indexOf('node_modules/')),
      entry,
    ]);
    const optionalDependencies = Object.fromEntries(
      packages.map(([path, { version }]) => [path.slice('node_modules/'.length), version]),
    );
    const manifest = { name: 'vkmemd-crossed', version: '0.0.0', private: true, optionalDependencies };
    const lock = { lockfileVersion: 3, packages: { '': manifest, ...Object.fromEntries(packages) } };
    mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, folder, 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(root, folder, 'package-lock.json'), JSON.stringify(lock));
    const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts'];
    const unavailable = () => fail(`npm could not install Node.js for ${arch}`, EX_UNAVAILABLE);
    await run(`installing Node.js for ${arch}`, 'npm', [...args, '--os=linux', `--cpu=${arch}`], {
      cwd: join(root, folder),
      failed: unavailable,
    });
    // npm leaves out optional packages that it cannot have.
    const missing = packages.filter(([path]) => !existsSync(join(root, folder, path)));
    if (missing.length > 0) unavailable();
  });
}

/** The command that runs programs of another processor, or the reason why there is none. */
export function emulator({ gnu, architecture, find, node }) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const names = [`qemu-${gnu}`, `qemu-${gnu}-static`];
  const qemu = folders.flatMap((folder) => names.map((name) => join(folder, name))).find(existsSync);
  if (!qemu) return { reason: `there is no qemu-${gnu}: install qemu-user` };
  const libraries = `/usr/${gnu}-linux-gnu`;
  const command = [qemu, '-L', libraries, join(root, find(node), 'bin/node')];
  const { status, stderr } = spawnSync(qemu, [...command.slice(1), '--version'], { encoding: 'utf8' });
  if (status === 0) return { command };
  if (!existsSync(join(libraries, 'lib/libstdc++.so.6'))) {
    return { reason: `there is no ${libraries}: install libstdc++6-${architecture}-cross` };
  }
  return { reason: `its Node.js does not run under ${qemu}: ${stderr.trim()}` };
}

const UNCONFINED = `
const { dlopen } = process;
process.dlopen = (module, ...args) => {
  dlopen(module, ...args);
  if (module.exports.confine) module.exports.confine = () => {};
};
`;

/**
 * A module for the emulated Node.js: it starts itself again by the same command, as the supervisor does, and the
 * front confines itself to nothing, since qemu-user has no seccomp.
 */
function emulation(folder, command) {
  const [node, module] = ['node', 'emulation.cjs'].map((name) => join(folder, name));
  const words = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  writeFileSync(node, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  writeFileSync(module, `process.execPath = ${JSON.stringify(node)};\n${UNCONFINED}`);
  return module;
}

/** Exits with the number of the first file of cached data that V8 rejects, from 1. */
const CHECK = `
const { readFileSync } = require('node:fs');
const { basename } = require('node:path');
const accepted = (file) => {
  const source = readFileSync(file.replace('.v8-cache', '.cjs'), 'latin1');
  const filename = basename(file).replace('.v8-cache', '.cjs');
  const cachedData = readFileSync(file).subarray(64);
  const script = new (require('node:vm').Script)(source, { filename, cachedData });
  return !script.cachedDataRejected;
};
process.exit(process.argv.slice(1).findIndex((file) => !accepted(file)) + 1);`;

/** V8's cached data of the programs, which are run from the package's files. @param about See stage(). */
async function makeCachedData(about) {
  const { platform } = about;
  const files = new Map(CACHES.map((file) => [file, join(root, platform.find(file))]));
  const remove = () => {
    for (const file of files.values()) rmSync(file, { force: true });
  };
  const leaveOut = (reason) => {
    remove();
    say(`the package has no cached data of V8, so that its programs take longer to start: ${reason}`);
  };
  const { command, reason } = emulator(platform);
  if (!command) return leaveOut(reason);
  const bundles = CACHES.map((file) => file.replace('.v8-cache', '.cjs'));
  const inputs = digest([...bundles, RUNTIME_LOCK, ...CACHE_SCRIPTS], 'v1');
  await once(`${platform.folder}/.caches`, inputs, platform.find(CACHES[0]), async () => {
    remove();
    const work = mkdtempSync(join(tmpdir(), 'vkmemd-crossed-'));
    try {
      const begun = Date.now();
      const library = stage(work, about, new Map());
      await makeCaches([...command, '--require', emulation(work, command)], library);
      const made = CACHES.map((file) => join(library, file));
      const [program, ...args] = command;
      const { status } = spawnSync(program, [...args, '-e', CHECK, ...made]);
      if (status !== 0) return leaveOut(`V8 does not accept ${CACHES[status - 1] ?? 'it'} again`);
      for (const [file, to] of files) {
        mkdirSync(dirname(to), { recursive: true });
        copyFileSync(join(library, file), to);
      }
      say(`V8's cached data, under ${basename(program)}: ${((Date.now() - begun) / 1000).toFixed(1)} s`);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
}

/** Makes all files that depend on the processor. @param about See stage(). */
export async function prepare(about) {
  const { platform } = about;
  await installPackages('package-crossed');
  await installModules(platform);
  await buildAddons([`linux-${platform.arch}-glibc`]);
  await makeCachedData(about);
}
