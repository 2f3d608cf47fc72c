/**
 * Runs a bundle of this folder, with V8's cached data where this V8 made it.
 *
 * Node's own compile cache does not do: it has a folder for each user, and the service's user may write none.
 */
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { dirname, join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { Script } = require('node:vm');

/** Bundles are ASCII: as Latin-1, V8 keeps one byte a character, and nothing is decoded. */
const ENCODING = 'latin1';

/** The bytes of a file; undefined where it does not exist. */
function bytesOf(file) {
  try {
    return readFileSync(file);
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Runs NAME.cjs.
 * @returns {Script} whose cached data can be made once it has run.
 */
module.exports = function runBundle(name) {
  const file = join(__dirname, `${name}.cjs`);
  const require = createRequire(file);
  const folders = new Map([['', join(__dirname, '../..')]]);
  const folderOf = (name) => {
    if (!folders.has(name)) folders.set(name, dirname(require.resolve(`${name}/package.json`)));
    return folders.get(name);
  };
  const moduleUrl = (name, path) => pathToFileURL(join(folderOf(name), path)).href;
  const cachedData = bytesOf(join(__dirname, `${name}.v8-cache`));
  // Cached data has the name in it: without the folder, it is the same wherever the programs are built.
  const options = { filename: `${name}.cjs`, ...(cachedData && { cachedData }) };
  const script = new Script(readFileSync(file, ENCODING), options);
  const module = { exports: {} };
  script.runInThisContext()(
    module.exports,
    require,
    module,
    file,
    __dirname,
    pathToFileURL(file).href,
    moduleUrl,
    require,
  );
  return script;
};
