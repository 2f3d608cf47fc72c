/**
 * Runs a program from its bundle (scripts/bundle.mjs), or from its compiled modules: where there is no bundle or the modules are
 * newer, for failpoints (--conditions), and where V8 reports coverage, which it does by file.
 */
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';

const OWN_BUILD = new URL('../dist/tsconfig.tsbuildinfo', import.meta.url);
const SETTINGS_OF_MODULES = /^(--conditions|-C)\b/;

const modified = (url) => statSync(url, { throwIfNoEntry: false })?.mtimeMs ?? 0;

function needsModules(bundle, builds) {
  if (process.env.NODE_V8_COVERAGE || process.execArgv.some((arg) => SETTINGS_OF_MODULES.test(arg)))
    return true;
  return builds.some((build) => modified(build) > modified(bundle));
}

/**
 * @param from URL of the program's file in its package's bin/.
 * @param name The bundle's, in dist/bundle.
 * @param path The main module, in dist.
 */
export async function runProgram(from, name, path) {
  const dist = new URL('../dist/', from);
  const bundle = new URL(`bundle/${name}.cjs`, dist);
  const module = new URL(path, dist);
  const builds = [new URL('tsconfig.tsbuildinfo', dist), OWN_BUILD];
  if (!existsSync(bundle) || (existsSync(module) && needsModules(bundle, builds))) {
    await import(module.href);
  } else {
    createRequire(bundle)('./loader.cjs')(name);
  }
}
