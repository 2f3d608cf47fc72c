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
/** Of the digest in hexadecimal, which begins a bundle, in a comment, and its cached data. */
const DIGEST_CHARS = 64;

/** The cached data of a program; undefined where there is none, or it is of another program. */
function cachedDataOf(source, file) {
  let bytes;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
  return bytes.toString(ENCODING, 0, DIGEST_CHARS) === digestOf(source)
    ? bytes.subarray(DIGEST_CHARS)
    : undefined;
}

/** The digest that a program begins with, as `/*DIGEST*` and a slash. */
const digestOf = (source) => source.slice(2, 2 + DIGEST_CHARS);

/**
 * Runs NAME.cjs.
 * @returns {() => Buffer} Makes the file of cached data, once it has run.
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
  const source = readFileSync(file, ENCODING);
  const cachedData = cachedDataOf(source, join(__dirname, `${name}.v8-cache`));
  // Cached data has the name in it: without the folder, it is the same wherever the programs are built.
  const options = { filename: `${name}.cjs`, ...(cachedData && { cachedData }) };
  const script = new Script(source, options);
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
  return () => Buffer.concat([Buffer.from(digestOf(source)), script.createCachedData()]);
};
