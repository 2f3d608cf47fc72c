/**
 * The npm packages: each one's files, from what is compiled and built, and its manifest, from that of its workspace.
 *
 * A package has compiled modules with their types, but no source maps, tests or build information, since the TypeScript
 * sources are not in it. It has the C and C++ sources of its addon, for platforms without a prebuilt one.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { root } from '../../scripts/command.mjs';
import { sources } from '../../scripts/inputs.mjs';
import { programText } from '../program.mjs';

const readText = (file) => readFileSync(join(root, file), 'utf8');
const readJson = (file) => JSON.parse(readText(file));
const project = readJson('package.json');

/** Node.js that loads ES modules by require(), without a flag. */
const NODE = '^20.19.0 || >=22.12.0';
/** The types of modules need these, whatever the `types` and `lib` of the project are that imports them. */
const REFERENCES = '/// <reference types="node" />\n/// <reference lib="esnext.disposable" />\n';
/** Failpoints are for tests only. */
const FOR_TESTS = /^daemon\/store\/failing\.ts$/;
/** The generated types of messages have no code. */
const TYPES_ONLY = /^proto\/types\//;
/** What a package has at its top. */
const TOP = ['bin', 'dist', 'google', 'native', 'prebuilds', 'vkmem', 'vulkan'];
const UNIX_DGRAM = 'node_modules/unix-dgram';

const unixDgram = (arch) => `@vkmemd/unix-dgram-linux-${arch}`;
const types = { '@types/node': '>=20.19.0' };
const toBuild = { 'node-addon-api': project.devDependencies['node-addon-api'] };
const native = (folder) => sources([folder], /\.(c|cc|h)$|^binding\.gyp$/);

/** What every manifest has of the project. */
const common = (folder) => ({
  license: project.license,
  author: project.author,
  homepage: project.homepage,
  repository: project.repository && { ...project.repository, directory: folder },
  bugs: project.bugs,
});

const entry = (path) => ({ types: `./dist/${path}.d.ts`, default: `./dist/${path}.js` });

/** The types of bin/run-program.js. */
const RUN_PROGRAM =
  'export declare function runProgram(from: string, name: string, path: string): Promise<void>;\n';

/**
 * Of each workspace: its `folder`; `files` besides the compiled ones; `texts` of files that are written here; `entries`, the compiled modules that a project imports;
 * `prebuilt`, its addon and programs; `change`, which returns what its manifest has in place of the workspace's.
 */
const WORKSPACES = [
  {
    folder: 'proto',
    files: () => [
      'proto/bin/run-program.js',
      'proto/dist/vkmem.binpb',
      'proto/dist/vkmem.json',
      ...sources(['proto/vkmem', 'proto/google'], /\.proto$/),
      ...native('proto/native'),
    ],
    entries: ['index', 'kernel/index'],
    prebuilt: ['vkmem_proto', 'vkmemd_front_launcher'],
    texts: { 'bin/run-program.d.ts': RUN_PROGRAM },
    change: ({ dependencies, devDependencies, exports }) => ({
      exports: {
        ...exports,
        './run-program': { types: './bin/run-program.d.ts', default: './bin/run-program.js' },
      },
      sideEffects: false,
      // grpc-js for its types.
      dependencies: { ...devDependencies, ...dependencies, ...toBuild, ...types },
    }),
  },
  {
    folder: 'client/typescript',
    files: () => [
      'client/typescript/bin/vkmemctl.js',
      // No cached data of V8: it runs on whatever Node.js is installed.
      ...['loader.cjs', 'vkmemctl.cjs'].map((name) => `client/typescript/dist/bundle/${name}`),
    ],
    entries: ['index'],
    change: ({ dependencies, exports }) => ({
      exports: { ...exports, './package.json': './package.json' },
      sideEffects: ['./bin/*', './dist/cli/*', './dist/bundle/*'],
      dependencies: { ...dependencies, ...types },
    }),
  },
  {
    folder: 'daemon',
    files: () => [
      ...['vkmemd.js', 'front.js', 'own-node.js'].map((name) => `daemon/bin/${name}`),
      ...[
        'loader.cjs',
        'vkmemd.cjs',
        'front.cjs',
        'front.v8-cache',
        'supervisor.cjs',
        'parser.cjs',
        'vkmemd.v8-cache',
        'supervisor.v8-cache',
      ].map((name) => `daemon/dist/bundle/${name}`),
      ...native('daemon/vulkan/native'),
    ],
    entries: ['daemon'],
    prebuilt: ['vkmem_vulkan', 'vkmemd-cuda-export'],
    change: ({ dependencies: { 'unix-dgram': _, ...dependencies }, version }, platforms) => ({
      exports: { '.': entry('daemon'), './package.json': './package.json' },
      imports: { '#failpoint': './dist/store/failpoint.js' },
      os: ['linux'],
      dependencies: { ...dependencies, ...toBuild, ...types },
      optionalDependencies: {
        ...readJson('daemon/runtime/package.json').optionalDependencies,
        ...Object.fromEntries(archesOf(platforms).map((arch) => [unixDgram(arch), version])),
      },
    }),
  },
];

/** The processors that unix-dgram is built for. */
const archesOf = (platforms) =>
  [...platforms].filter(([, files]) => files.has('unix_dgram')).map(([platform]) => platform.split('-')[1]);

/** Writes files below a folder. */
class Staging {
  constructor(folder) {
    this.folder = folder;
  }

  put(path, content) {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), content);
  }

  copy(from, path) {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    cpSync(from, join(this.folder, path));
  }

  /** @param license the path of its text in the checkout. @param readme its name in packaging/npm. */
  finish(manifest, license, readme) {
    const known = Object.entries(manifest).filter(([, value]) => value !== undefined);
    this.put('package.json', `${JSON.stringify(Object.fromEntries(known), undefined, 2)}\n`);
    this.copy(join(root, license), 'LICENSE');
    const text = readText(`packaging/npm/${readme}.md`)
      .replaceAll('{name}', manifest.name)
      .replaceAll('{version}', manifest.version);
    this.put('README.md', text);
  }
}

/** Compiled modules and types. Only those whose source exists: dist may have files of earlier builds. */
function stageCompiled(staging, { folder, entries }) {
  for (const file of sources([folder], /(?<!\.d)\.ts$/)) {
    if (FOR_TESTS.test(file)) continue;
    const path = file.slice(folder.length + 1, -'.ts'.length);
    const declarations = readText(`${folder}/dist/${path}.d.ts`);
    staging.put(`dist/${path}.d.ts`, `${entries.includes(path) ? REFERENCES : ''}${declarations}`);
    if (TYPES_ONLY.test(file)) continue;
    const code = readText(`${folder}/dist/${path}.js`).replace(/^\/\/# sourceMappingURL=.*\n?/m, '');
    staging.put(`dist/${path}.js`, code);
  }
}

function stageWorkspace(into, workspace, platforms) {
  const { folder, files, texts = {}, prebuilt = [], change } = workspace;
  const { files: _files, devDependencies: _development, ...own } = readJson(`${folder}/package.json`);
  const staging = new Staging(join(into, own.name.split('/').at(-1)));
  stageCompiled(staging, workspace);
  for (const file of files()) {
    const path = file.slice(folder.length + 1);
    // npm starts programs by Node.js; publint asks for it.
    if (/^bin\/vkmem/.test(path)) staging.put(path, programText(file, '/usr/bin/env node'));
    else staging.copy(join(root, file), path);
  }
  for (const [path, text] of Object.entries(texts)) staging.put(path, text);
  for (const [platform, built] of platforms) {
    for (const file of prebuilt.map((name) => built.get(name))) {
      staging.copy(file, `prebuilds/${platform}/${basename(file)}`);
    }
  }
  for (const path of Object.values(own.bin ?? {})) chmodSync(join(staging.folder, path), 0o755);
  const { name, version, description, ...rest } = own;
  const changed = { ...rest, ...change(readJson(`${folder}/package.json`), platforms) };
  const { dependencies, optionalDependencies, ...fields } = changed;
  const manifest = {
    ...{ name, version, description, ...common(folder), ...fields },
    engines: { node: NODE },
    files: TOP.filter((path) => existsSync(join(staging.folder, path))),
    ...{ dependencies, optionalDependencies },
  };
  staging.finish(manifest, 'LICENSE', name.split('/').at(-1));
  return staging.folder;
}

/** unix-dgram, with an addon that is built for vkmemd's own Node.js. */
function stageUnixDgram(into, arch, file, version) {
  const { author, license, version: original } = readJson(`${UNIX_DGRAM}/package.json`);
  const staging = new Staging(join(into, `unix-dgram-linux-${arch}`));
  const addon = 'build/Release/unix_dgram.node';
  const code = readText(`${UNIX_DGRAM}/lib/unix_dgram.js`).replace(
    "require('bindings')('unix_dgram.node')",
    `require('../${addon}')`,
  );
  staging.put('lib/unix_dgram.js', code);
  staging.copy(file, addon);
  const manifest = {
    name: unixDgram(arch),
    version,
    description: `unix-dgram ${original}, built for the Node.js of vkmemd on linux-${arch}`,
    ...common('packaging/npm'),
    ...{ license: license.type ?? license, author },
    ...{ type: 'commonjs', engines: { node: '>=20' } },
    ...{ main: './lib/unix_dgram.js', files: ['lib', addon] },
    ...{ os: ['linux'], cpu: [arch], libc: ['glibc'] },
  };
  staging.finish(manifest, `${UNIX_DGRAM}/LICENSE`, 'unix-dgram');
  return staging.folder;
}

/** Writes all packages below a folder. @returns the folder of each. */
export function stagePackages(into, platforms) {
  const folders = WORKSPACES.map((workspace) => stageWorkspace(into, workspace, platforms));
  for (const [platform, files] of platforms) {
    const file = files.get('unix_dgram');
    if (file) folders.push(stageUnixDgram(into, platform.split('-')[1], file, project.version));
  }
  return folders;
}
