/**
 * The package's contents, in a staging folder that is laid out as /.
 *
 * /usr/lib/vkmemd has the Node.js that the programs run on, the programs' bundles, the addons, and the client library with
 * its types and dependencies, as folders are in the checkout. Only compiled files whose source exists are copied, so files
 * that an earlier build left in dist are not.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { root } from '../scripts/command.mjs';
import { sources } from '../scripts/inputs.mjs';
import { manualPages } from './man.mjs';
import { copyModules, moduleFiles } from './modules.mjs';
import { installedPage } from './pages.mjs';
import { programText } from './program.mjs';

export const LIBRARY = 'usr/lib/vkmemd';
const GENERATOR = 'usr/lib/systemd/system-generators/vkmemd-generator';
/** Run by vkmemd-devices.service. */
const START_DEVICES = `${LIBRARY}/vkmemd-start-devices`;
const DOC = 'usr/share/doc/vkmemd';
export const ADDONS = [
  'proto/native/build/Release/vkmem_proto.node',
  'daemon/vulkan/native/build/Release/vkmem_vulkan.node',
];
/** Programs of the daemon: one starts a part of it confined, one makes dma-bufs by CUDA. */
const HELPERS = [
  'proto/native/build/Release/vkmemd_front_launcher',
  'daemon/vulkan/native/build/Release/vkmemd-cuda-export',
];
const PROGRAMS = { vkmemd: 'daemon/bin/vkmemd.js', vkmemctl: 'client/typescript/bin/vkmemctl.js' };
/** The interpreter of the programs. */
const NODE = `${LIBRARY}/bin/node`;
const BUNDLES = [
  ...[
    'loader.cjs',
    'parser.cjs',
    'front.cjs',
    'front.v8-cache',
    'supervisor.cjs',
    'supervisor.v8-cache',
    'vkmemd.cjs',
    'vkmemd.v8-cache',
  ].map((file) => `daemon/dist/bundle/${file}`),
  ...['loader.cjs', 'vkmemctl.cjs', 'vkmemctl.v8-cache'].map(
    (file) => `client/typescript/dist/bundle/${file}`,
  ),
];
/** What the compiled modules of proto read, and what the programs load before their bundles. */
const BESIDE = [
  'proto/dist/vkmem.binpb',
  'proto/dist/vkmem.json',
  'proto/bin/run-program.js',
  'daemon/bin/front.js',
  'daemon/bin/own-node.js',
];
/** The documentation: its pages refer to each other. */
const PAGES = [...sources(['docs'], /\.(md|svg)$/), 'SECURITY.md'];
const SCHEMAS = sources(['proto'], /\.proto$/);

const EXAMPLE_POLICY = 'examples/vkmemd.toml';

/** Folders of npm workspaces that are installed. */
const PARTS = ['proto', 'daemon', 'client/typescript'];

/** Those whose modules are installed, with types, as the library of other programs. */
const LIBRARIES = ['proto', 'client/typescript'];

/** The path at which a file or a folder that a page links to is installed; undefined if it is not. */
function installedPath(path) {
  if (PAGES.includes(path)) return `${DOC}/${path.replace(/^docs\//, '')}`;
  if (path === EXAMPLE_POLICY) return `${DOC}/${path}`;
  const isSchema = SCHEMAS.some((file) => file === path || file.startsWith(`${path}/`));
  return isSchema ? `${LIBRARY}/${path}` : undefined;
}

const compiled = (part, file) => `${part}/dist/${file.slice(part.length + 1, -'.ts'.length)}`;

/**
 * The compiled files of the library, and the bundles of the programs. A package for another processor may
 * have no cached data of V8.
 */
function compiledFiles({ crossed, find }) {
  const modules = LIBRARIES.flatMap((part) =>
    sources([part], /(?<!\.d)\.ts$/)
      .filter((file) => !file.startsWith('client/typescript/cli/'))
      .map((file) => compiled(part, file)),
  );
  const lacks = (file) => crossed && file.endsWith('.v8-cache') && !existsSync(join(root, find(file)));
  const bundles = BUNDLES.filter((file) => !lacks(file));
  return [...modules.flatMap((file) => [`${file}.js`, `${file}.d.ts`]), ...bundles, ...BESIDE];
}

/** All inputs of the package, except node_modules, which the lock file determines. */
export function inputs(platform) {
  const own = sources(['packaging', 'systemd'], /./);
  const manifests = ['package.json', ...PARTS.map((part) => `${part}/package.json`)];
  const rest = [
    'package-lock.json',
    'daemon/runtime/package-lock.json',
    'CHANGELOG.md',
    EXAMPLE_POLICY,
    'scripts/package.mjs',
    ...Object.values(PROGRAMS),
  ];
  const built = [...compiledFiles(platform), ...ADDONS, ...HELPERS].map(platform.find);
  return [...built, ...own, ...PAGES, ...manifests, ...rest, ...SCHEMAS];
}

/** A manifest without the fields that only a checkout needs. */
function installedManifest(part) {
  const {
    devDependencies: _,
    files: _files,
    imports: _imports,
    ...manifest
  } = JSON.parse(readFileSync(join(root, part, 'package.json'), 'utf8'));
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/**
 * @param about version, date and platform.
 * @param documents name -> text of the documents that metadata.mjs makes.
 * @returns the folder of the programs and the library in it.
 */
export function stage(folder, about, documents) {
  const { platform } = about;
  const runtime = join(root, platform.find(platform.node));
  const put = (path, content) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  const copy = (path, to) => put(to, readFileSync(join(root, platform.find(path))));
  const link = (path, target) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(target, join(folder, path));
  };
  for (const file of [...compiledFiles(platform), ...ADDONS, ...HELPERS, ...SCHEMAS]) {
    copy(file, `${LIBRARY}/${file}`);
  }
  for (const part of PARTS) {
    put(`${LIBRARY}/${part}/package.json`, installedManifest(part));
  }
  copyModules(join(folder, LIBRARY), platform);
  mkdirSync(join(folder, dirname(NODE)), { recursive: true });
  copyFileSync(join(runtime, 'bin/node'), join(folder, NODE));
  link(`${LIBRARY}/node_modules/@vkmemd/proto`, '../../proto');
  link(`${LIBRARY}/node_modules/@vkmemd/client`, '../../client/typescript');
  for (const [name, program] of Object.entries(PROGRAMS)) {
    put(`${LIBRARY}/${program}`, programText(program, `/${NODE}`));
    link(`usr/bin/${name}`, `../lib/vkmemd/${program}`);
  }
  for (const file of sources(['systemd'], /\.(service|socket)$/)) {
    copy(file, `usr/lib/systemd/system/${file.slice('systemd/'.length)}`);
  }
  copy('systemd/vkmemd-generator', GENERATOR);
  copy('systemd/vkmemd-start-devices', START_DEVICES);
  copy('systemd/apparmor.d/vkmemd', 'etc/apparmor.d/vkmemd');
  for (const kind of ['sysusers.d', 'tmpfiles.d'])
    copy(`systemd/${kind}/vkmemd.conf`, `usr/lib/${kind}/vkmemd.conf`);
  mkdirSync(join(folder, 'etc/vkmemd/conf.d'), { recursive: true });
  for (const [name, text] of manualPages(about)) {
    put(`usr/share/man/man${name.at(-1)}/${name}.gz`, gzipSync(text, { level: 9 }));
  }
  for (const path of PAGES) {
    const content = readFileSync(join(root, path));
    const isText = path.endsWith('.md');
    put(installedPath(path), isText ? installedPage(path, content.toString(), installedPath) : content);
  }
  copy(EXAMPLE_POLICY, `${DOC}/${EXAMPLE_POLICY}`);
  copy('packaging/debian/lintian-overrides', 'usr/share/lintian/overrides/vkmemd');
  const licence = readFileSync(join(runtime, 'LICENSE'));
  put(`${DOC}/LICENSE.node.gz`, gzipSync(licence, { level: 9 }));
  for (const [name, text] of documents)
    put(`${DOC}/${name}`, name.endsWith('.gz') ? gzipSync(text, { level: 9 }) : text);
  const addons = [...ADDONS, ...moduleFiles(platform).filter((file) => file.endsWith('.node'))];
  const binaries = [NODE, ...[...addons, ...HELPERS].map((file) => join(LIBRARY, file))];
  execFileSync(platform.strip, ['--strip-unneeded', ...binaries.map((file) => join(folder, file))]);
  return join(folder, LIBRARY);
}

/** Every path below a folder, each folder before its contents. */
export function walk(folder, within = '') {
  return readdirSync(join(folder, within), { withFileTypes: true })
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(within, entry.name);
      return [{ path, entry }, ...(entry.isDirectory() ? walk(folder, path) : [])];
    });
}

/** Sets the installed modes, whatever the umask and the checkout's modes, and one date for all files. */
export function normalise(folder, seconds) {
  const executable = (path) =>
    Object.values(PROGRAMS).some((program) => path === `${LIBRARY}/${program}`) ||
    path === NODE ||
    HELPERS.some((file) => path === `${LIBRARY}/${file}`) ||
    path === GENERATOR ||
    path === START_DEVICES ||
    /^DEBIAN\/p(re|ost)/.test(path);
  for (const { path, entry } of [...walk(folder)].reverse()) {
    const file = join(folder, path);
    if (!entry.isSymbolicLink()) chmodSync(file, entry.isDirectory() || executable(path) ? 0o755 : 0o644);
    lutimesSync(file, seconds, seconds);
  }
  chmodSync(folder, 0o755);
  lutimesSync(folder, seconds, seconds);
}
