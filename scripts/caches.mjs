/**
 * V8's cached data of the bundled programs, made after a run, so that it has the functions that a start
 * needs: of the daemon, its front and its supervisor, which answer requests and stop, and of vkmemctl. Where no driver
 * works, the start ends early, and the cache has what it needs.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root, say } from './command.mjs';

/** Program -> the folder of its bundle, and what starts it. */
const PROGRAMS = {
  vkmemd: ['daemon/dist/bundle', 'daemon/bin/vkmemd.js'],
  front: ['daemon/dist/bundle', 'daemon/bin/front.js'],
  supervisor: ['daemon/dist/bundle', 'daemon/bin/vkmemd.js'],
  vkmemctl: ['client/typescript/dist/bundle', 'client/typescript/bin/vkmemctl.js'],
};
/** The bundles with failpoints, for tests. */
export const TEST_FOLDER = 'daemon/dist/bundle-test';
const TEST_PROGRAMS = {
  vkmemd: [TEST_FOLDER, PROGRAMS.vkmemd[1]],
  supervisor: [TEST_FOLDER, PROGRAMS.supervisor[1]],
};

const filesOf = (programs) =>
  Object.entries(programs).map(([name, [folder]]) => `${folder}/${name}.v8-cache`);
/** The files. */
export const CACHES = filesOf(PROGRAMS);
export const TEST_CACHES = filesOf(TEST_PROGRAMS);

/** What they are made by. */
export const CACHE_SCRIPTS = ['bundle-loader.cjs', 'caches.mjs', 'v8-cache.cjs', 'warm-front.mjs'].map(
  (name) => `scripts/${name}`,
);

/** What they log once they serve, or the supervisor that its daemon does not. */
const SETTLED = / ready: |"the daemon ended/;

/** SIGTERM after it: a driver may hang. */
const START_MS = 30_000;

/**
 * @param command Starts the Node.js that the cached data is for.
 * @param base Has the folders of the programs, as the checkout has them.
 */
export const makeCaches = (command, base) => make(PROGRAMS, command, base);

/** Those of the bundles with failpoints. */
export const makeTestCaches = (command, base) => make(TEST_PROGRAMS, command, base);

async function make(programs, [node, ...words], base) {
  const runtimeDir = mkdtempSync(join(tmpdir(), 'vkmemd-bundle-'));
  const options = ['--runtime-dir', runtimeDir];
  const {
    VKMEMD_FDSTORE_MAX: _max,
    NOTIFY_SOCKET: _socket,
    LISTEN_FDS: _fds,
    NODE_OPTIONS: _options,
    ...env
  } = process.env;
  const run = (name, args, stdio) => {
    const [folder, program] = programs[name].map((path) => join(base, path));
    const script = join(root, 'scripts/v8-cache.cjs');
    const all = [...words, script, folder, name, program, ...args];
    return spawn(node, all, { env, stdio, timeout: START_MS });
  };
  const start = (name, args) => {
    const child = run(name, [...options, ...args], ['ignore', 'pipe', 'ignore']);
    const ended = new Promise((resolve) => child.once('close', resolve));
    const ready = new Promise((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => SETTLED.test(line) && resolve());
    });
    return { child, ready: Promise.race([ready, ended]), ended };
  };
  try {
    // First: the daemon starts it.
    if (programs.front) {
      // It needs the addon, which is built by now.
      const { warmFront } = await import('./warm-front.mjs');
      const { version } = JSON.parse(readFileSync(join(root, 'daemon/package.json'), 'utf8'));
      const reason = await warmFront((stdio) => run('front', [version], stdio));
      if (reason) say(`V8's cached data of the front is of its start alone: ${reason}`);
    }
    const daemon = start('vkmemd', ['--config', '/dev/null']);
    await daemon.ready;
    if (programs.vkmemctl) await start('vkmemctl', ['ls']).ended;
    daemon.child.kill('SIGTERM');
    await daemon.ended;
    const supervisor = start('supervisor', ['--supervisor', '--config', '/dev/null']);
    await supervisor.ready;
    supervisor.child.kill('SIGTERM');
    await supervisor.ended;
  } finally {
    rmSync(runtimeDir, { recursive: true, force: true });
  }
}
