/**
 * Runs a program from its bundle (scripts/bundle.mjs), or from the one with failpoints if these are requested
 * (--conditions=vkmemd-test). It runs the compiled modules instead if there is no such bundle, the modules are
 * newer, other conditions are requested, or V8 reports coverage, which it does by file. Where there are no
 * modules, as in a Debian package, it always runs the bundle.
 */
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';

const OWN_BUILD = new URL('../dist/tsconfig.tsbuildinfo', import.meta.url);
const SETTINGS_OF_MODULES = /^(--conditions|-C)\b/;
const FAILPOINTS = '--conditions=vkmemd-test';

const modified = (url) => statSync(url, { throwIfNoEntry: false })?.mtimeMs ?? 0;

function needsModules(bundle, builds) {
  const hasOtherConditions = process.execArgv.some(
    (arg) => SETTINGS_OF_MODULES.test(arg) && arg !== FAILPOINTS,
  );
  if (process.env.NODE_V8_COVERAGE || hasOtherConditions) return true;
  return builds.some((build) => modified(build) > modified(bundle));
}

/**
 * Runs a program.
 * @param from The URL of the program's file in bin/ of its package.
 * @param name The name of the bundle in dist/bundle.
 * @param path The path of the main module in dist.
 */
export async function runProgram(from, name, path) {
  const dist = new URL('../dist/', from);
  const bundleIn = (folder) => new URL(`${folder}/${name}.cjs`, dist);
  const module = new URL(path, dist);
  const builds = [new URL('tsconfig.tsbuildinfo', dist), OWN_BUILD];
  const requested = bundleIn(process.execArgv.includes(FAILPOINTS) ? 'bundle-test' : 'bundle');
  const hasModules = existsSync(module);
  if (hasModules && (!existsSync(requested) || needsModules(requested, builds))) {
    await import(module.href);
    return;
  }
  const bundle = existsSync(requested) ? requested : bundleIn('bundle');
  createRequire(bundle)('./loader.cjs')(name);
}
