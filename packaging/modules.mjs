/**
 * What of node_modules the installed programs need: the packages that the lock file has for them, and of each what Node.js
 * loads, with its licence. What a package ships for its own development, for compilers or for other systems stays away.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../scripts/command.mjs';

/** Dependencies by name alone: types, and headers that addons are built with. */
const NOT_AT_RUN_TIME = ['@types/node', 'undici-types', 'node-addon-api', 'nan'];
const LOADED = /\.(js|cjs|mjs|json|node|proto|txt)$/;
const LICENCE = /^(licen[cs]e|copying|notice)/i;
/** At the top of a package: what its authors work with. Tests may be anywhere. */
const DEVELOPMENT = /^(bench|benchmarks?|docs?|examples?|node_modules)$/;
const TESTS = /^(tests?|__tests__)$/;
const DEVELOPMENT_FILE =
  /^(package-lock|tsconfig.*|tslint|\.eslintrc|\.taprc.*)\.json$|\.(test|spec)\.[cm]?js$|\.d\.[cm]?ts$/;
/** An addon for another C library, or for one release of Node.js where there is one for all. */
const FOREIGN_ADDON = /\.musl\.node$|\.abi\d+\./;

/** The lock file's folders that are on disk and needed to run the programs, sorted. */
export function runtimePackages() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  return Object.entries(packages)
    .filter(([path, { dev, link }]) => path.includes('node_modules/') && !dev && !link)
    .map(([path]) => path)
    .filter((path) => !NOT_AT_RUN_TIME.some((name) => path.endsWith(`node_modules/${name}`)))
    .filter((path) => existsSync(join(root, path)))
    .sort();
}

/** All files of a folder that a program may load; paths within it. */
function filesOf(folder, within = '') {
  return readdirSync(join(folder, within), { withFileTypes: true }).flatMap((entry) => {
    const { name } = entry;
    if (name.startsWith('.')) return [];
    const path = join(within, name);
    if (entry.isDirectory()) {
      const left = TESTS.test(name) || (within === '' && DEVELOPMENT.test(name));
      return left ? [] : filesOf(folder, path);
    }
    if (!entry.isFile() || DEVELOPMENT_FILE.test(name) || FOREIGN_ADDON.test(name)) return [];
    return LOADED.test(name) || LICENCE.test(name) ? [path] : [];
  });
}

/** What node-gyp leaves beside an addon that it has built. */
const leftBehind = (path) => path.startsWith('build/') && !/^build\/Release\/[^/]*\.node$/.test(path);

/** All files of the packages that are needed, as paths of the checkout. */
export function moduleFiles() {
  return runtimePackages().flatMap((path) => {
    const files = filesOf(join(root, path));
    const built = existsSync(join(root, path, 'binding.gyp'));
    return files.filter((file) => !built || !leftBehind(file)).map((file) => join(path, file));
  });
}

/** Copies them below a folder, where they are found by the programs beside them. */
export function copyModules(folder) {
  for (const file of moduleFiles()) {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    cpSync(join(root, file), join(folder, file), { dereference: true });
  }
}

/** Name, version and licence of each package, the words of that where it has them, and the folder that it is in. */
export function licences() {
  return runtimePackages().map((path) => {
    const { name, version, license, author } = JSON.parse(
      readFileSync(join(root, path, 'package.json'), 'utf8'),
    );
    const whose = typeof author === 'object' ? author.name : author?.replace(/ *[<(].*$/, '');
    const text = readdirSync(join(root, path)).find((file) => LICENCE.test(file));
    const words = text === undefined ? '' : readFileSync(join(root, path, text), 'utf8');
    const holders = words
      .split('\n')
      .map((line) => /^\W*copyright:? *(?:\(c\)|©)? *(.*\d{4}.*|(?<=\(c\) ).*)$/i.exec(line)?.[1]?.trim())
      .filter((holder) => holder && !holder.includes('[yyyy]'));
    return {
      path,
      name,
      version,
      license: license?.type ?? license,
      words,
      holders: holders.length > 0 ? holders : [whose ?? `the authors of ${name}`],
    };
  });
}
