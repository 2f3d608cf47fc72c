/**
 * The npm packages: their tarballs install into an empty project with plain npm, and work there, as ES modules, by require(),
 * and with TypeScript's strict checks of all declarations. The addons are those of the checkout; other packages come from the
 * registry.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { driverUnderTest, plainEnvironment, root } from '../support/daemon.js';
import { roomyFolder } from './support.js';

const PROGRAM = `
const memory = await client.allocate({ size: 1 << 20 });
const { bytes } = memory.map();
bytes[0] = 7;
console.log(bytes[0], bytes.length);
await memory.free();
await client.close();
`;
const OPTIONS = '{ runtimeDir: process.argv[2] }';
const CONSUMERS = {
  'esm.mjs': `import { connect } from '@vkmemd/client';\nconst client = await connect(${OPTIONS});\n${PROGRAM}`,
  'commonjs.cjs': `const { connect } = require('@vkmemd/client');
(async () => {\nconst client = await connect(${OPTIONS});\n${PROGRAM}})();`,
  'esm.mts': `import { type Client, connect, type Memory, VkmemError } from '@vkmemd/client';
import { CATALOGUE, readDescriptorFiles } from '@vkmemd/proto';
import { OwnedFd } from '@vkmemd/proto/kernel';
import { type DaemonOptions, startDaemon } from 'vkmemd';
await using client: Client = await connect();
await using memory: Memory = await client.allocate({ size: 64n << 20n, name: 'frames', ifExists: 'claim' });
export const bytes: Uint8Array = memory.map().bytes;
export const start = (options: DaemonOptions) => startDaemon(options);
export { CATALOGUE, readDescriptorFiles, OwnedFd, VkmemError };\n`,
  'commonjs.cts': `import { connect } from '@vkmemd/client';
export const size: Promise<bigint> = connect().then(async (client) => (await client.allocate({ size: 4096 })).size);\n`,
};
/** A plain project's settings: all declarations are checked. */
const TSCONFIG = {
  compilerOptions: { strict: true, noEmit: true, module: 'nodenext', target: 'es2022', skipLibCheck: false },
  files: ['esm.mts', 'commonjs.cts'],
};
const CHECKERS = {
  publint: ['publint@0.3.25', 'publint', 'run', '--strict'],
  attw: ['@arethetypeswrong/cli@0.18.5', 'attw', '--profile', 'esm-only', '--no-emoji'],
};
/** What npm prints where it reaches no registry. */
const OFFLINE = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT)\b/;
/** Paths of a tarball. */
const EXPECTED =
  /^(package\.json|README\.md|LICENSE|bin\/[\w-]+\.(d\.ts|js)|dist\/(?!tsconfig).*\.(d\.ts|js|json|binpb)|dist\/bundle\/\w+\.(cjs|v8-cache)|(native|vulkan\/native)\/(\w+\.(c|cc|h)|binding\.gyp)|(vkmem|google)\/.*\.proto|prebuilds\/linux-\w+-(glibc|musl)\/(\w+\.node|vkmemd_front_launcher|vkmemd-cuda-export)|lib\/unix_dgram\.js|build\/Release\/unix_dgram\.node)$/;

const env: NodeJS.ProcessEnv = { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() };
const project = roomyFolder(t);
const tarballs = join(project, 'tarballs');
const runtimeDir = join(project, 'runtime');
const runtimeNode = process.execPath;
const nodeOf = (version: number) =>
  join(root, `test/nodes/node_modules/node${version}-${process.arch}/bin/node`);

const outcome = (command: string, ...args: string[]) =>
  spawnSync(command, args, { cwd: project, env, encoding: 'utf8', timeout: 600_000 });

/** Packs, and installs into the project. @returns the reason why that is impossible here. */
function install(): string | false {
  const packing = join(root, 'scripts/package-npm.mjs');
  execFileSync(process.execPath, [packing, '--output', tarballs], { env });
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true }));
  for (const [name, text] of Object.entries(CONSUMERS)) writeFileSync(join(project, name), text);
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  const files = readdirSync(tarballs).map((file) => join(tarballs, file));
  const { status, stderr } = outcome(
    'npm',
    'install',
    '--no-audit',
    '--no-fund',
    '--prefer-offline',
    ...files,
  );
  if (status !== 0 && OFFLINE.test(stderr)) return 'npm reaches no registry';
  if (status !== 0) throw new Error(`npm install failed: ${stderr}`);
  return false;
}

const timeout = 600_000;
t.setTimeout(2 * timeout);
const skip = install();

t.test('what the tarballs contain', async (t) => {
  const names = readdirSync(tarballs);
  t.equal(names.length, 4, names.join(', '));
  for (const name of names) {
    const list = execFileSync('tar', ['tzf', join(tarballs, name)], { encoding: 'utf8' })
      .trim()
      .split('\n');
    const paths = list.map((path) => path.replace('package/', ''));
    t.strictSame(
      paths.filter((path) => !EXPECTED.test(path)),
      [],
      name,
    );
    for (const path of ['README.md', 'LICENSE', 'package.json'])
      t.ok(paths.includes(path), `${name}: ${path}`);
  }
});

t.test('their manifests', { skip }, async (t) => {
  const manifest = (name: string) =>
    JSON.parse(readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8'));
  for (const name of ['@vkmemd/proto', '@vkmemd/client', 'vkmemd']) {
    const { devDependencies, scripts, license, engines, exports, files } = manifest(name);
    t.strictSame({ devDependencies, scripts }, { devDependencies: undefined, scripts: undefined }, name);
    t.match({ license, engines, exports, files }, { license: 'Apache-2.0', engines: { node: /^\^20\.19/ } });
  }
  t.equal(manifest('vkmemd').dependencies['unix-dgram'], undefined);
  t.notOk(existsSync(join(project, 'node_modules/unix-dgram')), 'nothing is compiled');
});

t.test('publint and arethetypeswrong', { skip, timeout }, async (t) => {
  for (const name of readdirSync(tarballs)) {
    const file = join(tarballs, name);
    for (const [checker, [from = '', ...command]] of Object.entries(CHECKERS)) {
      // unix-dgram has no types.
      if (checker === 'attw' && name.includes('unix-dgram')) continue;
      const args = ['exec', '--yes', '--prefer-offline', `--package=${from}`, '--', ...command, file];
      const { status, stdout, stderr } = outcome('npm', ...args);
      t.equal(status, 0, `${checker} ${name}: ${stdout}${stderr}`);
    }
  }
});

t.test('TypeScript, strict, with all declarations checked', { skip, timeout }, async (t) => {
  const { status, stdout } = outcome(runtimeNode, join(root, 'node_modules/typescript/bin/tsc'));
  t.equal(status, 0, stdout);
});

t.test('vkmemctl and vkmemd', { skip, timeout }, async (t) => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  t.match(outcome('npx', 'vkmemctl', '--version'), { status: 0, stdout: `${version}\n` });
  const { stdout } = outcome('npx', 'vkmemd', '--version');
  t.match(stdout, `${version} (Node.js ${process.versions.node})`);
});

t.test('the daemon, with clients on several versions of Node.js', { skip, timeout }, async (t) => {
  const daemon = await startInstalled();
  t.teardown(() => daemon.kill('SIGKILL'));
  for (const node of [runtimeNode, ...[20, 22, 26].map(nodeOf)]) {
    if (!existsSync(node)) {
      t.pass('client', { skip: `there is no ${basename(join(node, '../..'))}` });
      continue;
    }
    for (const consumer of ['esm.mjs', 'commonjs.cjs']) {
      const { status, stdout, stderr } = outcome(node, consumer, runtimeDir);
      t.match({ status, stdout }, { status: 0, stdout: `7 ${1 << 20}\n` }, `${node} ${consumer} ${stderr}`);
    }
  }
  const exited = new Promise((resolve) => daemon.once('exit', resolve));
  daemon.kill('SIGTERM');
  t.equal(await exited, 0);
});

t.test('it reports to systemd with the unix-dgram that it brings', { skip, timeout }, async (t) => {
  const args = ['-e', "console.log(typeof require('@vkmemd/unix-dgram-linux-' + process.arch).createSocket)"];
  t.match(outcome(runtimeNode, ...args), { status: 0, stdout: 'function\n' });
});

t.test('the launcher is installed as a program', { skip }, async (t) => {
  const script = `
    const { launcherPath } = require('@vkmemd/proto/kernel');
    const { spawnSync } = require('node:child_process');
    const { stdout } = spawnSync(launcherPath(), ['/bin/cat', '/proc/self/status'], { encoding: 'utf8' });
    console.log(launcherPath(), /^Seccomp:.*$/m.exec(stdout)?.[0]);`;
  const { stdout, stderr } = outcome(runtimeNode, '-e', script);
  t.match(stdout, /\/proto\/prebuilds\/linux-\w+-\w+\/vkmemd_front_launcher Seccomp:\t2\n$/, stderr);
});

t.test('without an addon for the platform the error has the command that builds it', { skip }, async (t) => {
  const proto = join(project, 'node_modules/@vkmemd/proto');
  renameSync(join(proto, 'prebuilds'), join(proto, 'elsewhere'));
  mkdirSync(join(proto, 'prebuilds'));
  const { status, stderr } = outcome(runtimeNode, 'esm.mjs', runtimeDir);
  t.equal(status, 1);
  t.match(stderr, `has no native addon vkmem_proto for linux-${process.arch}-`);
  t.match(stderr, 'npx node-gyp rebuild -C node_modules/@vkmemd/proto/native');
});

/** Resolves when the installed daemon is ready. */
async function startInstalled(): Promise<ChildProcess> {
  const program = join(project, 'node_modules/.bin/vkmemd');
  const args = ['--runtime-dir', runtimeDir, '--config', '/dev/null'];
  const daemon = spawn(program, args, { cwd: project, env, stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    daemon.once('exit', (code) => reject(new Error(`the daemon ended with ${code}`)));
    createInterface({ input: daemon.stdout }).on('line', (line) => line.includes(' ready: ') && resolve());
  });
  return daemon;
}
