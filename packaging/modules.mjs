/**
 * The part of node_modules that is installed: the dependencies of the library, with their types, and the addons that the
 * programs' bundles load. Of each the files that Node.js loads, with the licence; files for a package's own development, for
 * compilers and for other systems are left out.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../scripts/command.mjs';
import { isFor, lockedPackages } from './platform.mjs';

/** Dependencies that no program loads: types, and headers that addons are built with. */
const NOT_AT_RUN_TIME = ['@types/node', 'undici-types', 'node-addon-api', 'nan'];
const LOADED = /\.(js|cjs|mjs|json|node|proto|txt|d\.[cm]?ts)$/;
const LICENCE = /^(licen[cs]e|copying|notice)/i;
/** Development folders at the top of a package. Tests may be at any depth. */
const DEVELOPMENT = /^(bench|benchmarks?|docs?|examples?|node_modules)$/;
const TESTS = /^(tests?|__tests__)$/;
const DEVELOPMENT_FILE =
  /^(package-lock|tsconfig.*|tslint|\.eslintrc|\.taprc.*)\.json$|\.(test|spec)\.([cm]?js|d\.[cm]?ts)$/;
/** Builds for browsers, and command lines. */
const UNUSED = /^node_modules\/(protobufjs\/dist|@grpc\/proto-loader\/build\/bin)\//;
/** An addon for another C library, or for one version of Node.js where the package has one for all. */
const FOREIGN_ADDON = /\.musl\.node$|\.abi\d+\./;

const needed = (path) => !NOT_AT_RUN_TIME.some((name) => path.endsWith(`node_modules/${name}`));

/** The folders of the lock file that the programs need at run time, in their bundles or as files, sorted. */
function runtimePackages({ arch, find }) {
  return Object.entries(lockedPackages())
    .filter(
      ([path, entry]) => path.includes('node_modules/') && !entry.dev && !entry.link && isFor(entry, arch),
    )
    .map(([path]) => path)
    .filter(needed)
    .filter((path) => existsSync(join(root, find(path))))
    .sort();
}

/** The folder of a dependency, as Node.js finds it from another folder. */
function resolved(packages, from, name) {
  for (let folder = from; ; folder = folder.includes('/') ? dirname(folder) : '') {
    const path = join(folder, 'node_modules', name);
    if (path in packages) return packages[path].link ? packages[path].resolved : path;
    if (folder === '') return undefined;
  }
}

/** The folders of the packages that the library depends on, sorted. */
function libraryPackages() {
  const packages = lockedPackages();
  const found = new Set();
  const waiting = ['proto', 'client/typescript'];
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    const { dependencies = {} } = packages[path];
    const folders = Object.keys(dependencies).map((name) => resolved(packages, path, name));
    for (const folder of folders.filter(Boolean)) {
      if (found.has(folder)) continue;
      found.add(folder);
      waiting.push(folder);
    }
  }
  return [...found].filter((path) => path.includes('node_modules/') && needed(path)).sort();
}

/** Packages of which the bundles load the addon. */
const addonPackages = ({ arch }) => [`node_modules/@lmdb/lmdb-linux-${arch}`, 'node_modules/unix-dgram'];

/** The folders that are installed, at least in part, sorted. */
const installedPackages = (platform) => [...libraryPackages(), ...addonPackages(platform)].sort();

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

/** Of a package with an addon: the addon, what names it, and the licence. */
const withAddon = (path) =>
  /^(build\/Release\/unix_dgram\.node|node\.napi\.glibc\.node|package\.json)$/.test(path) ||
  LICENCE.test(path);

/** All files that are installed, as paths in the checkout. */
export function moduleFiles(platform) {
  return installedPackages(platform).flatMap((path) => {
    const files = filesOf(join(root, platform.find(path)));
    const kept = addonPackages(platform).includes(path) ? files.filter(withAddon) : files;
    return kept.map((file) => join(path, file)).filter((file) => !UNUSED.test(file));
  });
}

/** Copies them below a folder, in which the programs' module resolution finds them. */
export function copyModules(folder, platform) {
  for (const file of moduleFiles(platform)) {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    cpSync(join(root, platform.find(file)), join(folder, file), { dereference: true });
  }
}

/**
 * Name, version, licence and folder of each package, with the licence's text where the package contains it, and whether it
 * is installed.
 */
export function licences(platform) {
  const installed = new Set(installedPackages(platform));
  return runtimePackages(platform).map((path) => {
    const folder = join(root, platform.find(path));
    const { name, version, license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const whose = typeof author === 'object' ? author.name : author?.replace(/ *[<(].*$/, '');
    const text = readdirSync(folder).find((file) => LICENCE.test(file));
    const words = text === undefined ? '' : readFileSync(join(folder, text), 'utf8');
    const holders = words
      .split('\n')
      .map((line) => /^\W*copyright:? *(?:\(c\)|©)? *(.*\d{4}.*|(?<=\(c\) ).*)$/i.exec(line)?.[1]?.trim())
      .filter((holder) => holder && !holder.includes('[yyyy]'));
    return {
      path,
      installed: installed.has(path),
      name,
      version,
      license: license?.type ?? license,
      words,
      holders: holders.length > 0 ? holders : [whose ?? `the authors of ${name}`],
    };
  });
}
