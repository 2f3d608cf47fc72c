/**
 * The part of node_modules that the installed programs need: the packages that the lock file lists for them, and of each the
 * files that Node.js loads, with the licence. Files for a package's own development, for compilers and for other systems are
 * left out.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../scripts/command.mjs';

/** Dependencies that no program loads: types, and headers that addons are built with. */
const NOT_AT_RUN_TIME = ['@types/node', 'undici-types', 'node-addon-api', 'nan'];
const LOADED = /\.(js|cjs|mjs|json|node|proto|txt)$/;
const LICENCE = /^(licen[cs]e|copying|notice)/i;
/** Development folders at the top of a package. Tests may be at any depth. */
const DEVELOPMENT = /^(bench|benchmarks?|docs?|examples?|node_modules)$/;
const TESTS = /^(tests?|__tests__)$/;
const DEVELOPMENT_FILE =
  /^(package-lock|tsconfig.*|tslint|\.eslintrc|\.taprc.*)\.json$|\.(test|spec)\.[cm]?js$|\.d\.[cm]?ts$/;
/** An addon for another C library, or for one version of Node.js where the package has one for all. */
const FOREIGN_ADDON = /\.musl\.node$|\.abi\d+\./;

/** The folders of the lock file that are installed and needed at run time, sorted. */
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

/** Build output of node-gyp other than the addon. */
const leftBehind = (path) => path.startsWith('build/') && !/^build\/Release\/[^/]*\.node$/.test(path);

/** All needed files of these packages, as paths in the checkout. */
export function moduleFiles() {
  return runtimePackages().flatMap((path) => {
    const files = filesOf(join(root, path));
    const built = existsSync(join(root, path, 'binding.gyp'));
    return files.filter((file) => !built || !leftBehind(file)).map((file) => join(path, file));
  });
}

/** Copies them below a folder, in which the programs' module resolution finds them. */
export function copyModules(folder) {
  for (const file of moduleFiles()) {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    cpSync(join(root, file), join(folder, file), { dereference: true });
  }
}

/** Name, version, licence and folder of each package, with the licence's text where the package contains it. */
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
