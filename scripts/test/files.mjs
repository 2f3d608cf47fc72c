/**
 * Which files a run of the tests takes. Paths are those of the sources, such as `test/client/memory.test.ts`.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../command.mjs';
import { wallSeconds } from './times.mjs';

const GPU = 'test/gpu/';
/** They measure how long victims wait. */
const CHAOS = 'test/chaos/chaos.test.ts';
const PACKAGE = 'test/package/';
/** Cross-builds addons, which takes minutes the first time: `npm run test:arm64`. */
const ARM64 = 'test/package/arm64.test.ts';

/** It takes a processor from all others. */
const STARVED = 'test/front/starved.test.ts';

/** Whether a test needs the machine to itself. */
export const runsAlone = (file) => file.startsWith(GPU) || file === CHAOS || file === STARVED;

/** Whether a test needs the Debian package. */
export const needsPackage = (file) => file.startsWith(PACKAGE);

export const compiledOf = (file) => join(root, file.replace(/^test\//, 'test/dist/').replace(/\.ts$/, '.js'));

/** They run in guests of the lab: `npm run test:lab`. */
const LAB = 'test/lab/';

/**
 * The test files at or below a path inside test/. Those for a GPU only where the path is inside test/gpu, those
 * of the lab and that of the arm64 package only where they are named.
 */
export function testsIn(path) {
  if (/\.[jt]s$/.test(path)) {
    const file = path.replace('test/dist/', 'test/').replace(/\.js$/, '.ts');
    if (file.startsWith(LAB)) throw new Error(`${file} runs in a guest: npm run test:lab`);
    return [file];
  }
  const folder = path.replace(/\/+$/, '');
  return readdirSync(join(root, folder.replace(/^test(?=\/|$)/, 'test/dist')), { recursive: true })
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => `${folder}/${file.replace(/js$/, 'ts')}`)
    .filter((file) => file !== ARM64 && !file.startsWith(LAB))
    .filter((file) => folder.startsWith('test/gpu') || !file.startsWith(GPU))
    .sort();
}

/**
 * `npm run test:fast`: files that need no root, no network and nothing but what `npm run setup` builds.
 * Of the folders, the files that take at most FAST_FILE_S.
 */
const FAST_FOLDERS = ['test/limits', 'test/memory', 'test/policy', 'test/proto'];
const FAST_FILES = [
  'test/client/backoff.test.ts',
  'test/client/choosing.test.ts',
  'test/client/faults.test.ts',
  'test/client/memory.test.ts',
  'test/daemon/in-process.test.ts',
  'test/daemon/names.test.ts',
  'test/daemon/watch-ends.test.ts',
  'test/native/datagram-limits.test.ts',
  'test/native/framing-properties.test.ts',
  'test/native/memory.test.ts',
  'test/store/journal.test.ts',
  'test/store/order.test.ts',
];
const FAST_FILE_S = 6;

export function fastTests(times) {
  const quick = (file) => (wallSeconds(times, file) ?? 0) <= FAST_FILE_S;
  return [...FAST_FOLDERS.flatMap(testsIn).filter(quick), ...FAST_FILES];
}

/**
 * The client's tests that also run on the other Node.js versions: sockets, fds, timers, streams, child
 * processes.
 */
export const CLIENT_TESTS = [
  'choosing',
  'control-only',
  'faults',
  'import',
  'inherited',
  'memory',
  'reconnect',
  'signal',
  'tickets',
  'untrusted-answers',
  'watch-budget',
].map((name) => `test/client/${name}.test.ts`);

/**
 * The files of `--coverage chosen`. Programs that report it run from their compiled modules,
 * which takes twice the time of a bundle: files that start few daemons for what they cover.
 */
const COVERED = [
  'test/admin',
  'test/limits',
  'test/memory',
  'test/policy',
  'test/proto',
  'test/daemon',
  'test/client',
  'test/store/known-device.test.ts',
  ...['cuda-vmm', 'pages', 'dma-buf'].map((name) => `test/faults/${name}.test.ts`),
  ...['late-import', 'cuda-export', 'physical-device'].map((name) => `test/vulkan/${name}.test.ts`),
  'test/supervisor/fleet.test.ts',
  ...['devices', 'sources'].map((name) => `test/cli/${name}.test.ts`),
  ...['calls', 'codec', 'connections', 'hostile', 'own-services'].map((name) => `test/front/${name}.test.ts`),
];
export const coveredTests = () => COVERED.flatMap(testsIn);
