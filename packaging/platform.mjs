/**
 * The processor that a Debian package is for, and where the files that depend on it are. For that of this
 * machine they are where the set-up puts them; for another one they are below .setup, where crossed.mjs puts
 * them:
 *
 *   .setup/ARCH/node_modules   Node.js, and the packages that are for one processor alone
 *   .setup/ARCH/PACKAGE/dist   V8's cached data
 *   .setup/prebuilds           the addons (npm/addons.mjs)
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../scripts/command.mjs';
import { addonFiles } from './npm/addons.mjs';

/** Debian's name -> that of Node.js, and that of GNU. */
const PROCESSORS = {
  amd64: { arch: 'x64', gnu: 'x86_64' },
  arm64: { arch: 'arm64', gnu: 'aarch64' },
};
export const ARCHITECTURES = Object.keys(PROCESSORS);

export const ownArchitecture = () =>
  execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();

/** Path -> entry of each package that a lock file has, for all platforms. */
export const lockedPackages = (lock = 'package-lock.json') =>
  JSON.parse(readFileSync(join(root, lock), 'utf8')).packages;

/** Whether a package is for a processor, on Linux with glibc, alone or among others. */
export const isFor = ({ cpu, os, libc }, arch) =>
  [cpu ?? arch].flat().includes(arch) &&
  [os ?? 'linux'].flat().includes('linux') &&
  [libc ?? 'glibc'].flat().includes('glibc');

/**
 * The packages that the programs need for one processor alone: path in the checkout -> entry of the lock
 * file.
 */
export function packagesFor(arch) {
  const entries = ['', 'daemon/runtime'].flatMap((folder) =>
    Object.entries(lockedPackages(join(folder, 'package-lock.json'))).map(([path, entry]) => [
      join(folder, path),
      entry,
    ]),
  );
  return new Map(entries.filter(([, entry]) => entry.cpu && !entry.dev && isFor(entry, arch)));
}

/**
 * @param architecture Debian's name of the processor.
 * @returns `crossed`: whether it is another one than this machine's; `find`: a path in the checkout -> the
 *   path of the file in its place, also in the checkout.
 */
export function platformOf(architecture) {
  const { arch, gnu } = PROCESSORS[architecture];
  const node = `daemon/runtime/node_modules/node-linux-${arch}`;
  if (architecture === ownArchitecture()) {
    return { architecture, arch, gnu, node, crossed: false, strip: 'strip', find: (path) => path };
  }
  const folder = `.setup/${arch}`;
  const addons = addonFiles(`linux-${arch}-glibc`);
  const packages = [...packagesFor(arch).keys()];
  const find = (path) => {
    if (path.endsWith('.v8-cache')) return join(folder, path);
    const within = packages.find((each) => `${path}/`.startsWith(`${each}/`));
    if (within) return join(folder, path.slice(path.indexOf('node_modules/')));
    return addons.get(path) ?? path;
  };
  return { architecture, arch, gnu, node, crossed: true, folder, strip: `${gnu}-linux-gnu-strip`, find };
}
