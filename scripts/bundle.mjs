/**
 * Bundles the programs: one script each, with all that it loads except addons, so that a start opens a few files in place of
 * 1 300. Written to dist/bundle of the daemon and of the client, with the loader and V8's cached data for the daemon's Node.js.
 *
 *   NAME.cjs        the program, as a function that the loader calls; begins with its digest
 *   NAME.v8-cache   V8's code cache, for the version of V8 that made it; any other ignores it. Begins with the digest of
 *                   the program that it was made from: V8 itself compares only the length.
 *   loader.cjs      scripts/bundle-loader.cjs
 *
 * The daemon's dist/bundle-test has the same with failpoints (daemon/store/failing.ts), for tests; no package has it.
 *
 * Addons are found at run time: those of @vkmemd/proto in its package, all others in node_modules.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import * as esbuild from 'esbuild';
import protobuf from 'protobufjs';
import { CACHE_SCRIPTS, CACHES, makeCaches, makeTestCaches, TEST_CACHES, TEST_FOLDER } from './caches.mjs';
import { root, say } from './command.mjs';

const modules = join(root, 'node_modules');
const LOADER = join(root, 'scripts/bundle-loader.cjs');
const BUNDLES = {
  'daemon/dist/bundle': {
    vkmemd: 'daemon/dist/main.js',
    front: 'daemon/dist/front/main.js',
    supervisor: 'daemon/dist/supervisor/main.js',
    parser: 'daemon/dist/policy/parser.js',
  },
  'client/typescript/dist/bundle': { vkmemctl: 'client/typescript/dist/cli/main.js' },
  [TEST_FOLDER]: { vkmemd: 'daemon/dist/main.js', supervisor: 'daemon/dist/supervisor/main.js' },
};

/** Folder of a workspace -> the package's name, for import.meta.url. */
const PACKAGES = { daemon: 'vkmemd', 'client/typescript': '@vkmemd/client', proto: '@vkmemd/proto' };

/** import.meta.url of our modules, by loader.cjs. The parser's worker is a bundle too. @param own the bundle's workspace. */
const urls = (own) => ({
  name: 'urls',
  setup(build) {
    build.onLoad({ filter: /\/dist\/.*\.js$/ }, ({ path }) => {
      const within = relative(root, path);
      const folder = Object.keys(PACKAGES).find((part) => within.startsWith(`${part}/dist/`));
      if (!folder) return undefined;
      const text = readFileSync(path, 'utf8');
      const name = folder === own ? '' : PACKAGES[folder];
      const url = `__moduleUrl(${JSON.stringify(name)}, ${JSON.stringify(within.slice(folder.length + 1))})`;
      const contents = text
        .replaceAll(`new URL('./parser.js', import.meta.url)`, `new URL('../bundle/parser.cjs', ${url})`)
        .replaceAll('import.meta.url', url);
      return { contents, loader: 'js' };
    });
  },
});

/** Libraries that search for their addon: in a bundle it is required by its package's name. */
const addons = {
  name: 'addons',
  setup(build) {
    const virtual = {
      // lmdb, as its package for this platform has it; msgpackr-extract is optional, and not used.
      'node-gyp-build-optional-packages': `module.exports = () => __addon('@lmdb/lmdb-linux-' + process.arch + '/node.napi.glibc.node');`,
      // unix-dgram, as vkmemd's npm package has it, or as a checkout and a Debian package do.
      bindings: `module.exports = (name) => {
        try {
          return __addon('@vkmemd/unix-dgram-linux-' + process.arch + '/build/Release/' + name);
        } catch (error) {
          if (error.code !== 'MODULE_NOT_FOUND') throw error;
          return __addon('unix-dgram/build/Release/' + name);
        }
      };`,
    };
    const filter = /^(node-gyp-build-optional-packages|bindings)$/;
    build.onResolve({ filter }, ({ path }) => ({ path, namespace: 'addon' }));
    build.onLoad({ filter: /./, namespace: 'addon' }, ({ path }) => ({
      contents: virtual[path],
      loader: 'js',
    }));
  },
};

const REFLECTION = '@grpc/reflection/build/proto';

/**
 * Libraries that parse their own schemas when they are loaded: in a bundle these are parsed already, and only the definitions
 * of services are made, which is what these libraries use.
 */
const schemas = {
  name: 'schemas',
  setup(build) {
    const ofLibrary = /\/(@grpc\/reflection|grpc-health-check)\//;
    const namespace = 'schemas';
    build.onResolve({ filter: /^@grpc\/proto-loader$/ }, ({ importer, path }) =>
      ofLibrary.test(importer) ? { path, namespace } : undefined,
    );
    build.onLoad({ filter: /./, namespace }, () => ({
      resolveDir: root,
      contents: `
        const { Root } = require('protobufjs/light');
        const schemas = ${JSON.stringify(LIBRARY_SCHEMAS)};
        const codec = (type, options) => [
          (value) => type.encode(type.fromObject(value)).finish(),
          (bytes) => type.toObject(type.decode(bytes), options),
        ];
        const definitionOf = (method, options) => {
          const { name, parent, requestStream, responseStream, resolvedRequestType, resolvedResponseType } = method.resolve();
          const [requestSerialize, requestDeserialize] = codec(resolvedRequestType, options);
          const [responseSerialize, responseDeserialize] = codec(resolvedResponseType, options);
          return {
            // By which a server finds the handlers.
            originalName: name[0].toLowerCase() + name.slice(1),
            path: '/' + parent.fullName.slice(1) + '/' + name,
            ...{ requestStream: Boolean(requestStream), responseStream: Boolean(responseStream) },
            ...{ requestSerialize, requestDeserialize, responseSerialize, responseDeserialize },
          };
        };
        exports.loadSync = (file, options) => {
          const { schema, service } = schemas[Object.keys(schemas).find((name) => file.endsWith(name))];
          const { methodsArray } = Root.fromJSON(schema).lookupService(service);
          const definitions = methodsArray.map((method) => [method.name, definitionOf(method, options)]);
          return { [service]: Object.fromEntries(definitions) };
        };`,
    }));
  },
};

/** The end of a schema's path -> as protobufjs has it, with field names in the case that the library expects; its service. */
const LIBRARY_SCHEMAS = Object.fromEntries(
  [
    ['grpc-health-check/proto', 'health/v1/health.proto', true, 'grpc.health.v1.Health'],
    [REFLECTION, 'grpc/reflection/v1/reflection.proto', false, 'grpc.reflection.v1.ServerReflection'],
    [
      REFLECTION,
      'grpc/reflection/v1alpha/reflection.proto',
      false,
      'grpc.reflection.v1alpha.ServerReflection',
    ],
  ].map(([folder, file, keepCase, service]) => {
    const schema = new protobuf.Root().loadSync(join(modules, folder, file), { keepCase }).toJSON();
    return [file, { schema, service }];
  }),
);

async function bundle(folder, entries) {
  // A worker thread is started from the file itself.
  const { parser, ...programs } = entries;
  const options = {
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outdir: join(root, folder),
    outExtension: { '.js': '.cjs' },
    external: ['*.node', 'msgpackr-extract', 'bun:ffi', 'pino-pretty'],
    // Its module for import() evaluates code that refers to a variable of the module, which esbuild renames.
    alias: { 'ordered-binary': join(modules, 'ordered-binary/dist/index.cjs') },
    plugins: [urls(folder.split('/dist/')[0]), addons, schemas],
    ...(folder === TEST_FOLDER && { conditions: ['vkmemd-test'] }),
    target: 'node20',
    // Libraries only: ours are replaced above.
    define: { 'import.meta.url': '__bundleUrl' },
    legalComments: 'none',
    logLevel: 'warning',
    absWorkingDir: root,
  };
  const { outputFiles } = await esbuild.build({
    ...options,
    write: false,
    entryPoints: programs,
    banner: {
      js: '(function (exports, require, module, __filename, __dirname, __bundleUrl, __moduleUrl, __addon) {',
    },
    footer: { js: '})' },
  });
  mkdirSync(join(root, folder), { recursive: true });
  for (const { path, text } of outputFiles) {
    const digest = createHash('sha256').update(text).digest('hex');
    writeFileSync(path, `/*${digest}*/${text}`);
  }
  if (parser) await esbuild.build({ ...options, define: {}, entryPoints: { parser } });
  copyFileSync(LOADER, join(root, folder, 'loader.cjs'));
}

const modified = (path) => (existsSync(join(root, path)) ? statSync(join(root, path)).mtimeMs : 0);

/** Whether the bundles are those of the compiled modules, this script and the lock file, with all caches. */
function isFresh(forTests) {
  const programs = [...CACHES, ...(forTests ? TEST_CACHES : [])];
  const loaders = programs.map((file) => join(dirname(file), 'loader.cjs'));
  const scriptsOf = programs.map((file) => file.replace(/v8-cache$/, 'cjs'));
  const made = ['daemon/dist/bundle/parser.cjs', ...programs, ...loaders, ...scriptsOf];
  const from = ['scripts/bundle.mjs', ...CACHE_SCRIPTS, 'node_modules/.package-lock.json'];
  const builds = ['proto', 'daemon', 'client/typescript'].map((part) => `${part}/dist/tsconfig.tsbuildinfo`);
  const newest = Math.max(...[...from, ...builds].map(modified));
  return made.every((path) => modified(path) > newest);
}

/**
 * Bundles the compiled programs, where something changed since.
 * @param node The Node.js that runs them. @param forTests Whether also those with failpoints.
 */
export async function bundlePrograms(node, { forTests = false } = {}) {
  if (isFresh(forTests)) return;
  const begun = Date.now();
  const folders = Object.entries(BUNDLES).filter(([folder]) => forTests || folder !== TEST_FOLDER);
  for (const [folder, entries] of folders) await bundle(folder, entries);
  await makeCaches([node], root);
  if (forTests) await makeTestCaches([node], root);
  say(`bundling the programs: ${((Date.now() - begun) / 1000).toFixed(1)} s`);
}
