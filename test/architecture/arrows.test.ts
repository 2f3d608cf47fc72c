/**
 * The arrows between the folders, and what each part may use of others: dependency-cruiser with the rules of
 * .dependency-cruiser.cjs, and checks that its rules cannot express.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { root, temporaryFolder } from '../support/daemon.js';
import { cruise } from './cruise.js';

const { imports, violations } = cruise();
const PACKAGE = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/** The violations of these rules in the sources. */
const breaking = (...rules: string[]): string[] =>
  violations.filter((violation) => rules.some((rule) => violation.startsWith(rule)));

/** The packages from which the files of a folder import values. */
function packagesOf(folder: string): Set<string> {
  const used = imports
    .filter(({ file, typesOnly }) => file.startsWith(folder) && !typesOnly)
    .map(({ resolved }) => PACKAGE.exec(resolved)?.[1])
    .filter((name) => name !== undefined);
  return new Set(used);
}

t.test('imports follow the arrows between the folders', async (t) => {
  t.ok(imports.length > 100, `${imports.length} imports were read`);
  t.ok(
    imports.some(
      ({ file, resolved }) => file === 'daemon/daemon.ts' && resolved === 'daemon/handoff/server.ts',
    ),
    'the composition root imports a plane',
  );
  t.ok(
    imports.some(({ file, resolved }) => file.startsWith('client/') && resolved === 'proto/index.ts'),
    'the packages of this workspace resolve to their sources',
  );
  t.strictSame(breaking('resolvable:'), [], 'every import resolves');
  t.strictSame(breaking('arrow', 'core:', 'client and daemon:'), [], 'no import violates them');
  t.strictSame(breaking('device shown:'), [], 'a plane imports only types of the device');
  t.strictSame(breaking('planes:'), [], 'only the composition root imports a plane');
  t.strictSame(breaking('front apart:'), [], 'nothing of the core loads the front');
  t.strictSame(breaking('kinds apart from probes:'), [], 'no kind imports a probe');
  t.strictSame(breaking('circles:'), [], 'there is no import cycle');
});

t.test('each part uses only the packages that it may use', async (t) => {
  t.strictSame(breaking('packages of'), [], 'memory, requests and vulkan use no package');
  t.strictSame([...packagesOf('daemon/memory/')], [], 'the domain uses no package: no socket, no gRPC');
  t.strictSame([...packagesOf('daemon/vulkan/')], [], 'the device uses no package');
  t.strictSame(breaking('front:'), [], 'only the front uses the packages of gRPC and HTTP');
  t.strictSame(
    [...packagesOf('proto/')].sort(),
    ['@grpc/proto-loader', 'long', 'protobufjs'],
    'the contract uses its codec and descriptors only',
  );
  t.strictSame(breaking('declared packages:'), [], 'every part declares what it imports');

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
  const used = [...packagesOf('client/'), '@vkmemd/proto'];
  const undeclared = used.filter((name) => !(name in manifest('client/typescript/package.json')));
  t.strictSame(undeclared, [], 'a client declares what it imports');
  const native = readdirSync(join(root, 'proto/native')).filter((name) => /\.(cc|h|gyp)$/.test(name));
  const vulkan = native.filter((name) =>
    /vulkan/i.test(readFileSync(join(root, 'proto/native', name), 'utf8')),
  );
  t.strictSame(vulkan, [], 'a client builds without Vulkan headers');
});

/** The rule that only imports of values can violate. */
const OF_VALUES = 'device shown';

/** A tree in which each import violates the rule beside it. */
const BROKEN: readonly (readonly [file: string, target: string, rule: string])[] = [
  ['proto/a.ts', '../daemon/limits/x.js', 'arrow proto/'],
  ['client/a.ts', '../daemon/limits/x.js', 'arrow client/'],
  ['client/b.ts', '../daemon/options.js', 'client and daemon'],
  ['daemon/main.ts', '../client/x.js', 'client and daemon'],
  ['daemon/main.ts', './handoff/x.js', 'planes'],
  ['daemon/options.ts', './limits/x.js', 'arrow daemon/*.ts'],
  ['daemon/core.ts', './store/x.js', 'arrow daemon/core.ts'],
  ['daemon/limits/a.ts', '../policy/x.js', 'arrow daemon/limits/'],
  ['daemon/policy/a.ts', '../limits/x.js', 'arrow daemon/policy/'],
  ['daemon/vulkan/a.ts', '../limits/x.js', 'arrow daemon/vulkan/'],
  ['daemon/vulkan/mappable.ts', './probe/x.js', 'kinds apart from probes'],
  ['daemon/vulkan/b.ts', 'fastify', 'packages of memory and vulkan'],
  ['daemon/memory/a.ts', '../requests/x.js', 'arrow daemon/memory/'],
  ['daemon/memory/a.ts', '../core.js', 'core'],
  ['daemon/requests/a.ts', '../core.js', 'core'],
  ['daemon/handoff/a.ts', '../core.js', 'core'],
  ['daemon/store/a.ts', '../core.js', 'core'],
  ['daemon/main.ts', './core.js', 'core'],
  ['daemon/memory/a.ts', 'pino', 'packages of memory and vulkan'],
  ['daemon/requests/a.ts', '../handoff/x.js', 'arrow daemon/requests/'],
  ['daemon/requests/b.ts', '../store/x.js', 'arrow daemon/requests/'],
  ['daemon/handoff/a.ts', '../callers/x.js', 'arrow daemon/handoff/'],
  ['daemon/store/b.ts', '../callers/x.js', 'planes'],
  ['daemon/handoff/a.ts', '../vulkan/x.js', 'arrow daemon/handoff/'],
  ['daemon/callers/a.ts', '../store/x.js', 'arrow daemon/callers/'],
  ['daemon/callers/a.ts', 'fastify', 'front'],
  ['daemon/callers/b.ts', '../front/x.js', 'front apart'],
  ['daemon/front/a.ts', '../memory/x.js', 'arrow daemon/front/'],
  ['daemon/link/a.ts', '../front/x.js', 'arrow daemon/link/'],
  ['daemon/callers/a.ts', '../systemd/x.js', 'arrow daemon/callers/'],
  ['daemon/callers/a.ts', '../vulkan/x.js', 'arrow daemon/callers/'],
  ['daemon/callers/a.ts', '../vulkan/device.js', OF_VALUES],
  ['daemon/ivshmem/a.ts', '../supervisor/x.js', 'arrow daemon/ivshmem/'],
  ['daemon/store/a.ts', '../requests/x.js', 'arrow daemon/store/'],
  ['daemon/systemd/a.ts', '../policy/x.js', 'arrow daemon/systemd/'],
  ['daemon/supervisor/a.ts', '../store/x.js', 'arrow daemon/supervisor/'],
  ['daemon/supervisor/a.ts', '../systemd/x.js', 'arrow daemon/supervisor/'],
  ['daemon/callers/b.ts', 'pino', 'declared packages'],
  ['daemon/callers/b.ts', './nowhere.js', 'resolvable'],
  ['proto/b.ts', 'pino', 'packages of proto'],
  ['daemon/memory/c.ts', './d.js', 'circles'],
];

t.test('each rule reports its violations, also by imports of types', async (t) => {
  const folder = temporaryFolder(t);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text, { flag: 'a' });
  };
  for (const name of ['.dependency-cruiser.cjs', '.dependency-cruiser.tsconfig.json', 'tsconfig.base.json']) {
    cpSync(join(root, name), join(folder, name));
  }
  write('package.json', '{"type":"module","dependencies":{"fastify":"1"}}');
  for (const name of ['fastify', 'pino']) {
    write(`node_modules/${name}/package.json`, `{"name":"${name}","main":"index.js"}`);
    write(`node_modules/${name}/index.js`, '');
  }
  const files = new Set(BROKEN.map(([file]) => file));
  for (const [file, target] of BROKEN) {
    const path = join(dirname(file), target).replace(/js$/, 'ts');
    if (target.startsWith('.') && !target.includes('nowhere') && !files.has(path)) {
      files.add(path);
      write(path, 'export type X = 1;\n');
    }
  }
  for (const [file, target, rule] of BROKEN) {
    const imported = rule === OF_VALUES ? '{ X } from ' : 'type { X } from ';
    write(file, `import ${target.startsWith('.') ? imported : ''}'${target}';\n`);
  }
  write('daemon/memory/d.ts', "import type { X } from './c.js';\n");
  const found = cruise(folder).violations;
  for (const [file, target, rule] of BROKEN) {
    const resolved = target.startsWith('.') ? join(dirname(file), target).replace(/js$/, 'ts') : target;
    const wanted = found.filter(
      (line) =>
        line.startsWith(`${rule}: ${file} imports `) && (line.includes(resolved) || line.includes(target)),
    );
    t.equal(wanted.length, 1, `${rule}: ${file} imports ${resolved}`);
  }
});
