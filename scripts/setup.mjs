/**
 * Everything that a bare clone needs before it can do `purpose` (demo, test, bench, lint): Debian packages,
 * node_modules, the addons, the compiled TypeScript. Each step is done only where something of it is missing or has
 * changed, and says what it does on standard error. With VKMEMD_NO_INSTALL=1 the system is never touched.
 * Exit code 69 (EX_UNAVAILABLE): a Debian package is missing and could not be installed.
 */
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { EX_UNAVAILABLE, fail, root, run } from './command.mjs';
import { digest, nodeHeaders, once, sources } from './inputs.mjs';
import { installPackages } from './packages.mjs';
import { buildSanitized } from './sanitized.mjs';

const purpose = process.argv[2] ?? 'build';

function buildAddon(folder, name) {
  const inputs = digest(sources([folder], /\.(cc|h|gyp)$/), process.arch);
  once(`${folder}/build/.inputs`, inputs, `${folder}/build/Release/${name}.node`, () => {
    const gyp = join(root, 'node_modules', '.bin', 'node-gyp');
    const headers = nodeHeaders();
    const jobs = `--jobs=${availableParallelism()}`;
    const args = [
      'rebuild',
      '--loglevel=warn',
      '-C',
      folder,
      jobs,
      ...(headers ? [`--nodedir=${headers}`] : []),
    ];
    run(`building ${name}`, gyp, args);
  });
}

/** The Vulkan layer that plays drivers for the tests, and the programs that go with it. */
function buildFakeLayer() {
  const folder = 'test/layer';
  const all = sources([folder], /\.(cc|h)$/);
  const program = all.filter((file) => file.endsWith('.cc') && dirname(file) === `${folder}/program`);
  const layer = all.filter((file) => file.endsWith('.cc') && dirname(file) === folder);
  const filtered = `${folder}/program/filtered.cc`;
  const inputs = digest([...all, 'daemon/vulkan/native/unique_fd.h'], 'v1', process.arch);
  once(`${folder}/build/.inputs`, inputs, `${folder}/build/libVkLayer_vkmemd_fake.so`, () => {
    mkdirSync(join(root, folder, 'build'), { recursive: true });
    const compile = (name, args) => {
      const flags = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-o', `${folder}/build/${name}`];
      run(`building ${name}`, 'g++', [...flags, ...args]);
    };
    const own = ['seccomp', 'log', 'calls'].map((name) => `${folder}/${name}.cc`);
    compile('filtered', [filtered, ...own]);
    compile('program', [...program.filter((file) => file !== filtered), '-pthread', '-lvulkan']);
    // Counters and the record of the seccomp filter must outlive the loader's dlclose().
    const shared = ['-shared', '-fPIC', '-fvisibility=hidden', '-Wl,-z,nodelete,--no-undefined'];
    compile('libVkLayer_vkmemd_fake.so', [...shared, ...layer]);
  });
}

/** What a program is started with (LD_PRELOAD), to answer or to write down some of its system calls. */
function buildPreloaded(what, source, library) {
  once(`${library}.inputs`, digest([source], process.arch), library, () => {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    const flags = ['-shared', '-fPIC', '-O2', '-Wall', '-Wextra'];
    run(`building ${what}`, 'g++', ['-x', 'c', ...flags, '-o', library, source]);
  });
}

const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 20) fail(`Node.js 20 or newer is needed, this is ${process.versions.node}`, EX_UNAVAILABLE);
installPackages(purpose);
once('node_modules/.vkmemd-inputs', digest(['package-lock.json']), 'node_modules/.bin/tsc', () => {
  const headers = nodeHeaders();
  const env = { ...process.env, ...(headers && { npm_config_nodedir: headers }) };
  run('installing node_modules', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { env });
});
if (purpose === 'test' && process.arch === 'x64') {
  const name = `node-linux-${process.arch}`;
  const inputs = digest(['test/node24/package-lock.json'], process.arch);
  once('test/node24/node_modules/.vkmemd-inputs', inputs, `test/node24/node_modules/${name}/bin/node`, () => {
    run('fetching Node.js 24 for the tests', 'npm', [
      'ci',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      '--prefix',
      'test/node24',
    ]);
  });
}
buildAddon('proto/native', 'vkmem_proto');
buildAddon('daemon/vulkan/native', 'vkmem_vulkan');
if (purpose === 'test') {
  const folder = 'test/native';
  buildPreloaded('the fake dma-buf', `${folder}/fake-dma-buf.c`, `${folder}/build/libfake_dma_buf.so`);
  buildPreloaded('the witness of fds', `${folder}/fd-witness.c`, `${folder}/build/libfd_witness.so`);
  buildFakeLayer();
  buildSanitized();
}
const typescript = sources(['proto', 'daemon', 'client', 'test', 'bench'], /\.ts$|^tsconfig.*\.json$/);
once('.setup/typescript', digest(typescript, 'v1'), 'daemon/dist/main.js', () => {
  run('compiling TypeScript', join(root, 'node_modules', '.bin', 'tsc'), ['--build']);
});
