/**
 * Everything that a bare clone needs before it can do `purpose` (demo, demo-vm, test, bench, lint, package): Debian packages,
 * node_modules, the addons, the compiled TypeScript. Each step is done only where something of it is missing or has
 * changed, and says what it does on standard error. With VKMEMD_NO_INSTALL=1 the system is never touched.
 * Exit code 69 (EX_UNAVAILABLE): a Debian package is missing and could not be installed.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { EX_UNAVAILABLE, fail, root, run, say } from './command.mjs';
import { BARE_ROOTS, debianRoot, noRoots } from './debian-root.mjs';
import { compileSchemas } from './descriptor-set.mjs';
import { buildGuest } from './guest.mjs';
import { digest, nodeHeaders, once, runtimeNode, sources } from './inputs.mjs';
import { installPackages } from './packages.mjs';
import { buildSanitized } from './sanitized.mjs';

const purpose = process.argv[2] ?? 'build';
const OTHER_NODES = `test/nodes/node_modules/node26-${process.arch}/bin/node`;

async function buildAddon(folder, name) {
  const inputs = digest(sources([folder], /\.(c|cc|h|gyp)$/), process.arch);
  await once(`${folder}/build/.inputs`, inputs, `${folder}/build/Release/${name}.node`, () => {
    const gyp = join(root, 'node_modules', '.bin', 'node-gyp');
    const jobs = `--jobs=${availableParallelism()}`;
    const args = ['rebuild', '--loglevel=warn', '-C', folder, jobs, `--nodedir=${nodeHeaders()}`];
    return run(`building ${name}`, gyp, args);
  });
}

/** The Vulkan layer that plays drivers for the tests, and the programs that go with it. */
async function buildFakeLayer() {
  const folder = 'test/layer';
  const all = sources([folder], /\.(cc|h)$/);
  const program = all.filter((file) => file.endsWith('.cc') && dirname(file) === `${folder}/program`);
  const layer = all.filter((file) => file.endsWith('.cc') && dirname(file) === folder);
  const filtered = `${folder}/program/filtered.cc`;
  const inputs = digest([...all, 'daemon/vulkan/native/unique_fd.h'], 'v2', process.arch);
  await once(`${folder}/build/.inputs`, inputs, `${folder}/build/libVkLayer_vkmemd_fake.so`, async () => {
    mkdirSync(join(root, folder, 'build'), { recursive: true });
    const compile = (name, args) => {
      const flags = ['-std=c++20', '-O1', '-Wall', '-Wextra', '-o', `${folder}/build/${name}`];
      return run(`building ${name}`, 'g++', [...flags, ...args]);
    };
    const own = ['seccomp', 'log', 'calls'].map((name) => `${folder}/${name}.cc`);
    // Counters and the record of the seccomp filter must outlive the loader's dlclose().
    const shared = ['-shared', '-fPIC', '-fvisibility=hidden', '-Wl,-z,nodelete,--no-undefined'];
    await Promise.all([
      compile('libVkLayer_vkmemd_fake.so', [...shared, ...layer]),
      compile('filtered', [filtered, ...own]),
      compile('program', [...program.filter((file) => file !== filtered), '-pthread', '-lvulkan']),
    ]);
  });
}

/** The example of RDMA, which runs in guests of the lab. */
async function buildRdma() {
  if (!existsSync('/usr/include/infiniband/verbs.h')) return;
  await buildProgram('examples/rdma/rdma.c', 'examples/rdma/build/rdma', [], ['-libverbs']);
}

/** What a program is started with (LD_PRELOAD), to answer or to write down some of its system calls. */
async function buildPreloaded(what, source, library) {
  await once(`${library}.inputs`, digest([source], process.arch), library, () => {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    const flags = ['-shared', '-fPIC', '-O2', '-Wall', '-Wextra'];
    return run(`building ${what}`, 'g++', ['-x', 'c', ...flags, '-o', library, source]);
  });
}

/** A program in C of the tests. @param more Other files that it includes. @param libraries Flags of the linker. */
async function buildProgram(source, program, more = [], libraries = []) {
  const inputs = digest([source, ...more], 'v1', process.arch);
  await once(`${program}.inputs`, inputs, program, () => {
    mkdirSync(join(root, dirname(program)), { recursive: true });
    const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-pthread'];
    return run(`building ${basename(program)}`, 'gcc', [...flags, '-o', program, source, ...libraries]);
  });
}

/** Installs what a lock file of its own pins, so that its `node` is not on the PATH. */
async function installApart(what, folder, result) {
  const inputs = digest([`${folder}/package-lock.json`], process.arch);
  await once(`${folder}/node_modules/.vkmemd-inputs`, inputs, result, async () => {
    const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder];
    await run(`installing ${what}`, 'npm', args);
    // It is an optional dependency, by platform: npm leaves out what it cannot fetch, and reports no error.
    if (existsSync(join(root, result))) return;
    fail(`installing ${what} failed: npm could not fetch it (see the newest log in ~/.npm/_logs)`);
  });
}

/** The Node.js that the programs run on, and that addons are built for. */
async function installRuntime() {
  if (!['x64', 'arm64'].includes(process.arch)) {
    fail(`vkmemd runs on x64 and arm64, this is ${process.arch}`, EX_UNAVAILABLE);
  }
  await installApart("vkmemd's Node.js", 'daemon/runtime', relative(root, runtimeNode));
}

/** The test that needs them reports why there are none. */
async function makeDebianRoots() {
  if (noRoots() !== undefined || process.env.VKMEMD_NO_INSTALL === '1') return;
  // One after the other: each is made in memory.
  for (const recipe of BARE_ROOTS) await debianRoot(recipe).catch((error) => say(error.message));
}

async function compileTypeScript() {
  const inputs = digest(
    sources(['proto', 'daemon', 'client', 'test', 'bench'], /\.ts$|^tsconfig.*\.json$/),
    'v1',
  );
  await once('.setup/typescript', inputs, 'daemon/dist/main.js', () =>
    run('compiling TypeScript', join(root, 'node_modules', '.bin', 'tsc'), ['--build']),
  );
}

async function bundle() {
  // Loads esbuild, which is installed by now.
  const { bundlePrograms } = await import('./bundle.mjs');
  await bundlePrograms(runtimeNode, { forTests: purpose === 'test' });
}

const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 20) fail(`Node.js 20 or newer is needed, this is ${process.versions.node}`, EX_UNAVAILABLE);
await installPackages(purpose);
const native = 'test/native';
/** What needs a compiler and nothing of npm's: a processor is idle while npm installs. */
const plain = [
  () => buildFakeLayer(),
  () => buildPreloaded('the fake dma-buf', `${native}/fake-dma-buf.c`, `${native}/build/libfake_dma_buf.so`),
  () => buildPreloaded('the witness of fds', `${native}/fd-witness.c`, `${native}/build/libfd_witness.so`),
  () => buildPreloaded('a trimmer of memory', `${native}/trim.c`, `${native}/build/libtrim.so`),
  () => buildPreloaded("the fake of CUDA's library", `${native}/fake-cuda.c`, `${native}/build/libcuda.so.1`),
  () => buildProgram(`${native}/attempts.c`, `${native}/build/attempts`, ['proto/native/syscall_filter.h']),
  () => buildProgram(`${native}/pin.c`, `${native}/build/pin`),
  () => buildProgram('test/lab/dma-buf-source.c', 'test/lab/build/dma-buf-source'),
  () => buildProgram('test/lab/image-importer.c', 'test/lab/build/image-importer', [], ['-lvulkan']),
  () => buildProgram(`${native}/semaphore-peer.c`, `${native}/build/semaphore-peer`, [], ['-lvulkan']),
  () => buildRdma(),
  () => buildPreloaded('slow locks', `${native}/slow-locks.c`, `${native}/build/libslow_locks.so`),
];
const forPurpose = { test: [...plain, buildGuest], 'demo-vm': [buildGuest] };
const early = Promise.all((forPurpose[purpose] ?? []).map((work) => work()));
await installRuntime();
const lockFiles = ['package-lock.json', 'daemon/runtime/package-lock.json'];
await once('node_modules/.vkmemd-inputs', digest(lockFiles), 'node_modules/.bin/tsc', () => {
  // unix-dgram is built for one version of Node.js.
  const env = { ...process.env, npm_config_nodedir: nodeHeaders() };
  return run('installing node_modules', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    env,
  });
});
// Each takes all processors.
await buildAddon('proto/native', 'vkmem_proto');
await buildAddon('daemon/vulkan/native', 'vkmem_vulkan');
await compileSchemas();
const forTests = [
  () => buildSanitized(),
  () => makeDebianRoots(),
  () => installApart('other versions of Node.js', 'test/nodes', OTHER_NODES),
];
await Promise.all([
  early,
  compileTypeScript().then(bundle),
  ...(purpose === 'test' ? forTests : []).map((work) => work()),
]);
