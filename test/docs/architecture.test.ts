/**
 * docs/architecture.md is held to its word: the arrows between the folders, by the import lines of every source
 * file; the files that the page names exist; the functions that its tables name are in them.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';

/** The page, without the padding of its tables. */
const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8').replace(/ +\|/g, ' |');

/** One import of one file: `target` is a path from the root for a file of ours, otherwise a package or node: name. */
interface Import {
  readonly file: string;
  readonly target: string;
  readonly typesOnly: boolean;
}

const OUR_PACKAGES: Readonly<Record<string, string>> = {
  '@vkmemd/proto': 'proto/index.js',
  '@vkmemd/proto/kernel': 'proto/kernel.js',
  '@vkmemd/client': 'client/index.js',
  vkmemd: 'daemon/main.js',
};

const IMPORT = /^\s*(import|export)\s+(type\s)?[^;'"]*?from\s+['"]([^'"]+)['"]/gm;
const BARE_IMPORT = /^\s*import\s+['"]([^'"]+)['"]|\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/gm;

function sourcesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory())
      return ['dist', 'node_modules', 'build'].includes(entry.name) ? [] : sourcesIn(path);
    return /\.[cm]?[jt]s$/.test(entry.name) ? [path] : [];
  });
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8').replace(/^\s*(\/\*|\*|\/\/).*$/gm, '');
  const resolve = (name: string): string => {
    if (name.startsWith('.')) return relative(root, join(root, dirname(file), name));
    return OUR_PACKAGES[name] ?? name;
  };
  const named = [...text.matchAll(IMPORT)].map(([, , type, name = '']) => ({
    file,
    target: resolve(name),
    typesOnly: type !== undefined,
  }));
  const bare = [...text.matchAll(BARE_IMPORT)].map(([, first, second]) => ({
    file,
    target: resolve(first ?? second ?? ''),
    typesOnly: false,
  }));
  return [...named, ...bare];
}

const all = ['proto', 'daemon', 'client'].flatMap(sourcesIn).flatMap(importsOf);

/** The folder of our tree that a path belongs to; undefined for packages and node's own modules. */
function folderOf(path: string): string | undefined {
  return /^(proto|client|daemon)(?=\/)(\/(limits|memory|policy|vulkan|systemd|store|keeper|control|handoff|admin|ivshmem)(?=\/))?/.exec(
    path,
  )?.[0];
}

const PLANES = ['control', 'handoff', 'admin', 'ivshmem'].map((plane) => `daemon/${plane}`);

/** What a folder may import besides itself. Files directly in daemon/ are joined by main.ts. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  proto: [],
  client: ['proto'],
  'daemon/vulkan': ['proto'],
  'daemon/policy': ['proto'],
  'daemon/limits': ['proto'],
  'daemon/memory': ['daemon/limits', 'daemon/policy', 'daemon/vulkan', 'proto'],
  'daemon/systemd': ['daemon/memory', 'daemon/store', 'proto'],
  'daemon/store': ['daemon/limits', 'daemon/memory', 'daemon/policy', 'daemon/vulkan', 'proto'],
  'daemon/supervisor': ['daemon/store', 'proto'],
  daemon: ['proto'],
  ...Object.fromEntries(
    PLANES.map((plane) => [plane, ['daemon/limits', 'daemon/memory', 'daemon/policy', 'proto']]),
  ),
};

/** Where the parts are joined. */
const ROOT = ['daemon/main.ts', 'daemon/inherited-resources.ts', 'daemon/inquiry.ts'];

const show = ({ file, target }: Import): string => `${file} imports ${target}`;

t.test('the arrows between the folders', async (t) => {
  t.ok(all.length > 100, `${all.length} imports were read`);
  t.ok(
    all.some(({ file, target }) => file === 'daemon/main.ts' && target === 'daemon/handoff/server.js'),
    'the composition root imports a plane',
  );
  const wrong = all.filter(({ file, target }) => {
    const from = folderOf(file);
    const to = folderOf(target);
    if (ROOT.includes(file) || from === undefined || to === undefined) return false;
    return from !== to && !ALLOWED[from]?.includes(to);
  });
  t.strictSame(wrong.map(show), [], 'no import goes against them');
  const intoPlanes = all.filter(({ file, target }) => {
    const to = folderOf(target) ?? '';
    return PLANES.includes(to) && folderOf(file) !== to && file !== 'daemon/main.ts';
  });
  t.strictSame(intoPlanes.map(show), [], 'only main.ts imports a plane');
});

t.test('what each part may use of others', async (t) => {
  const packagesOf = (folder: string) =>
    new Set(
      all
        .filter(({ file, target, typesOnly }) => file.startsWith(folder) && !typesOnly && !folderOf(target))
        .map(({ target }) => target)
        .filter((name) => !name.startsWith('node:') && !name.startsWith('.')),
    );
  t.strictSame([...packagesOf('daemon/memory/')], [], 'the domain uses no package: no socket, no gRPC');
  t.strictSame([...packagesOf('daemon/vulkan/')], [], 'nor does the device');
  const measuring = all.filter(({ target }) => ['fastify', 'prom-client'].includes(target));
  t.strictSame(
    measuring.filter(({ file }) => !file.startsWith('daemon/admin/')).map(show),
    [],
    'only the admin plane measures anything',
  );
  t.strictSame([...packagesOf('proto/')], ['@grpc/proto-loader'], 'the contract needs its codec');

  const manifest = (path: string): Record<string, string> => {
    const { dependencies } = JSON.parse(readFileSync(join(root, path), 'utf8'));
    return dependencies as Record<string, string>;
  };
  const installed = { ...manifest('client/typescript/package.json'), ...manifest('proto/package.json') };
  for (const server of [
    'vkmemd',
    'fastify',
    'grpc-health-check',
    '@grpc/reflection',
    'prom-client',
    'lmdb',
  ]) {
    t.notOk(server in installed, `a client installs no ${server}`);
  }
  const undeclared = [...packagesOf('client/')].filter(
    (name) => !(name in manifest('client/typescript/package.json')),
  );
  t.strictSame(undeclared, [], 'a client declares what it imports');
  const native = readdirSync(join(root, 'proto/native')).filter((name) => /\.(cc|h|gyp)$/.test(name));
  const vulkan = native.filter((name) =>
    /vulkan/i.test(readFileSync(join(root, 'proto/native', name), 'utf8')),
  );
  t.strictSame(vulkan, [], 'and builds without Vulkan headers');
});

t.test('the files and functions that the page names', async (t) => {
  const paths = [...page.matchAll(/`([\w./-]+\/[\w./-]*)`|\]\(([\w./-]+)\)/g)].map(
    ([, code, link]) => code ?? join('docs', link ?? ''),
  );
  t.ok(paths.length > 30, `${paths.length} paths are named`);
  t.strictSame(
    paths.filter((path) => !existsSync(join(root, path))),
    [],
    'each exists',
  );
  const named = [...page.matchAll(/`([\w./-]+\.(?:ts|cc))`(?: \| |\s)((?:`[#\w]+`(?:, )?)+)/g)];
  t.ok(named.length > 25, `${named.length} files are named with functions`);
  for (const [, path = '', names = ''] of named) {
    const text = existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '';
    const missing = [...names.matchAll(/`([#\w]+)`/g)]
      .map(([, name = '']) => name)
      .filter((name) => !new RegExp(`(?<![\\w#])${name}\\b`).test(text));
    t.strictSame(missing, [], `${path} has what is named with it`);
  }
});
