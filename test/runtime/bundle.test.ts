/**
 * The programs start from bundles with V8's cached data, load few files, and no schemas.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import t from 'tap';
import { driverUnderTest, plainEnvironment, root, startDaemon, temporaryFolder } from '../support/daemon.js';

const env = { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() };
const BUNDLES = {
  'daemon/dist/bundle': ['vkmemd', 'supervisor'],
  'client/typescript/dist/bundle': ['vkmemctl'],
};

const noStrace = spawnSync('strace', ['-V']).status === 0 ? false : 'there is no strace';

/** What a file of cached data begins with: the digest of its program. */
const DIGEST_CHARS = 64;

/** Runs a script in this Node.js. */
const evaluate = (script: string) =>
  spawnSync(process.execPath, ['--eval', script], { env, encoding: 'utf8', timeout: 60_000 });

t.test('the cached data is accepted', async (t) => {
  for (const [folder, names] of Object.entries(BUNDLES)) {
    for (const name of names) {
      const file = join(root, folder, `${name}.cjs`);
      const cachedData = readFileSync(join(root, folder, `${name}.v8-cache`)).subarray(DIGEST_CHARS);
      const script = new Script(readFileSync(file, 'latin1'), { filename: file, cachedData });
      t.equal(script.cachedDataRejected, false, name);
    }
  }
});

t.test('failpoints are in the bundle for tests alone', async (t) => {
  const program = (folder: string) => readFileSync(join(root, 'daemon/dist', folder, 'vkmemd.cjs'), 'latin1');
  t.match(program('bundle-test'), 'VKMEMD_TEST_FAILPOINT');
  t.notMatch(program('bundle'), 'VKMEMD_TEST_FAILPOINT');
});

t.test('without modules, as in a Debian package, the bundle runs whatever is requested', async (t) => {
  const folder = temporaryFolder(t);
  const copy = (path: string) => cpSync(join(root, path), join(folder, path), { recursive: true });
  for (const path of ['client/typescript/bin', 'client/typescript/dist/bundle', 'proto/bin']) copy(path);
  for (const part of ['client/typescript', 'proto']) copy(`${part}/package.json`);
  mkdirSync(join(folder, 'node_modules/@vkmemd'), { recursive: true });
  symlinkSync('../../proto', join(folder, 'node_modules/@vkmemd/proto'));
  for (const option of ['--conditions=vkmemd-test', '--conditions=other', '--no-warnings']) {
    const program = [option, join(folder, 'client/typescript/bin/vkmemctl.js'), '--version'];
    t.match(
      spawnSync(process.execPath, program, { env, encoding: 'utf8' }),
      { status: 0, stderr: '' },
      option,
    );
  }
});

t.test('a bundle with missing or wrong cached data runs all the same', async (t) => {
  const folder = join(temporaryFolder(t), 'dist/bundle');
  cpSync(join(root, 'client/typescript/dist/bundle'), folder, { recursive: true });
  const script = `
    process.argv = ['node', 'vkmemctl', '--version'];
    require(${JSON.stringify(join(folder, 'loader.cjs'))})('vkmemctl');`;
  copyFileSync(join(root, 'client/typescript/package.json'), join(folder, '../../package.json'));
  const good = evaluate(script);
  t.match(good, { status: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
  copyFileSync(join(root, 'daemon/dist/bundle/supervisor.v8-cache'), join(folder, 'vkmemctl.v8-cache'));
  t.equal(evaluate(script).stdout, good.stdout, 'the cached data of another bundle');
  rmSync(join(folder, 'vkmemctl.v8-cache'));
  t.equal(evaluate(script).stdout, good.stdout, 'no cached data');
});

t.test('the cached data of an older build of the same length is not used', async (t) => {
  const folder = join(temporaryFolder(t), 'dist/bundle');
  cpSync(join(root, 'client/typescript/dist/bundle'), folder, { recursive: true });
  copyFileSync(join(root, 'client/typescript/package.json'), join(folder, '../../package.json'));
  const file = join(folder, 'vkmemctl.cjs');
  const text = readFileSync(file, 'latin1');
  const changed = text.slice(DIGEST_CHARS + 4).replace('"--version", "-V"', '"--version", "-W"');
  const digest = createHash('sha256').update(changed).digest('hex');
  writeFileSync(file, `/*${digest}*/${changed}`);
  t.equal(readFileSync(file).length, text.length, 'V8 compares the length only');
  const { status, stdout } = evaluate(`
    process.argv = ['node', 'vkmemctl', '-W'];
    require(${JSON.stringify(join(folder, 'loader.cjs'))})('vkmemctl');`);
  t.match({ status, stdout }, { status: 0, stdout: /^\d+\.\d+\.\d+\n$/ }, 'the new program ran');
});

t.test('the program opens few files', { skip: noStrace }, async (t) => {
  const trace = join(temporaryFolder(t), 'trace');
  const { status } = spawnSync(
    'strace',
    [
      '-f',
      '-e',
      'trace=openat',
      '-o',
      trace,
      join(root, 'daemon/bin/vkmemd.js'),
      '--check-config',
      '--config',
      '/dev/null',
    ],
    { env, timeout: 60_000 },
  );
  t.equal(status, 0);
  const opened = [
    ...readFileSync(trace, 'utf8').matchAll(/openat\(AT_FDCWD, "([^"]+)", O_RDONLY[^)]*\) = \d/g),
  ];
  const own = opened
    .map(([, path = '']) => path)
    .filter((path) => path.startsWith(root) && !path.includes('/runtime/'));
  t.ok(own.length < 40, own.join('\n'));
  t.strictSame(
    own.filter((path) => path.endsWith('.proto')),
    [],
  );
});

t.test('a daemon from compiled modules, for failpoints and coverage', async (t) => {
  const folder = temporaryFolder(t);
  await startDaemon(t, { env: { NODE_V8_COVERAGE: folder } }).then(({ stop }) => stop());
  const [report = ''] = readdirSync(folder);
  const { result } = JSON.parse(readFileSync(join(folder, report), 'utf8'));
  const urls = result.map(({ url }: { url: string }) => url);
  t.ok(
    urls.some((url: string) => url.endsWith('/daemon/dist/daemon.js')),
    'coverage is of files',
  );
  t.notOk(urls.some((url: string) => url.endsWith('/bundle/vkmemd.cjs')));
});
