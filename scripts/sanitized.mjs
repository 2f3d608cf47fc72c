/**
 * Builds the addons with AddressSanitizer and UndefinedBehaviorSanitizer, for test/sanitizers, and the fuzzer
 * of their receive path, for test/fuzz. All output is below test/sanitizers/build and test/fuzz/build.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join, relative } from 'node:path';
import { clangWithFuzzer } from './clang.mjs';
import { root, run, say } from './command.mjs';
import { digest, nodeHeaders, once, sources } from './inputs.mjs';

const SANITIZE = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
// -fno-inline: with inlining, each of Node-API's small functions is instrumented at every call. That doubles
// the time of compilation, and makes stack traces less precise.
const FLAGS = ['-O1', '-g1', '-fno-inline', '-fno-omit-frame-pointer', ...SANITIZE];
// Both runtimes must not be shared objects: the second would use functions of the first, and its reports
// would be lost.
const LINK = [SANITIZE[0], '-static-libubsan', '-Wl,--exclude-libs,ALL'];

/** The source files of a Connection (proto/native). */
const RECEIVE_PATH = [
  ...['addon', 'ancillary', 'close_on_exec', 'closers', 'connection', 'connection_binding', 'ends'],
  ...['flight', 'kernel_error', 'outbox', 'reaper', 'thread', 'watch'],
];

/**
 * Builds an addon from a copy of its sources, so that the normal build is not changed. All sources are
 * compiled as one file, because most of the time for a file is spent on Node-API's header.
 */
async function buildAddon(folder, name) {
  const copy = `test/sanitizers/build/${folder}`;
  const files = sources([folder], /\.(cc|h|gyp)$/);
  const inputs = digest(files, ...FLAGS, ...LINK, process.arch);
  await once(`${copy}/.inputs`, inputs, `${copy}/build/Release/${name}.node`, () => {
    mkdirSync(join(root, copy), { recursive: true });
    for (const old of readdirSync(join(root, copy))) {
      if (old !== 'build') rmSync(join(root, copy, old), { recursive: true });
    }
    for (const file of files) cpSync(join(root, file), join(root, 'test/sanitizers/build', file));
    const binding = join(root, copy, 'binding.gyp');
    const [list, names] = /["']sources["']: \[([^\]]*)\]/.exec(readFileSync(binding, 'utf8'));
    const all = [...names.matchAll(/["'](.*?)["']/g)].map(([, file]) => `#include "${file}"\n`);
    writeFileSync(join(root, copy, 'all.cc'), all.join(''));
    writeFileSync(binding, readFileSync(binding, 'utf8').replace(list, `"sources": ["all.cc"]`));
    const gyp = join(root, 'node_modules/.bin/node-gyp');
    // Without the other targets of the folder.
    const args = ['configure', 'build', name, '--loglevel=warn', '-C', copy, `--nodedir=${nodeHeaders()}`];
    const env = { ...process.env, CXXFLAGS: FLAGS.join(' '), LDFLAGS: LINK.join(' ') };
    return run(`building ${name} with sanitizers`, gyp, args, { env });
  });
}

/** Builds a library with a fault, by which a test verifies that the sanitizers report faults. */
async function buildFault() {
  const source = 'test/sanitizers/fault.cc';
  const library = 'test/sanitizers/build/libfault.so';
  await once(`${library}.inputs`, digest([source], ...FLAGS, ...LINK, process.arch), library, () => {
    const args = ['-std=c++20', '-Wall', '-Wextra', '-shared', '-fPIC', ...FLAGS, ...LINK];
    return run('building a fault with sanitizers', 'g++', [...args, '-o', library, source]);
  });
}

/** Builds the receive path of proto/native with a fake of Node.js: see test/fuzz/receive.cc. */
async function buildFuzzer() {
  const clang = clangWithFuzzer();
  if (!clang) {
    // A fuzzer that was built from other sources would prove nothing.
    rmSync(join(root, 'test/fuzz/build'), { recursive: true, force: true });
    return say('no clang++ with libFuzzer was found: test/fuzz is skipped');
  }
  const own = sources(['test/fuzz'], /\.(cc|h)$/);
  const addon = sources(['proto/native'], /\.(cc|h)$/);
  const compiled = [
    ...RECEIVE_PATH.map((name) => `proto/native/${name}.cc`),
    ...own.filter((file) => file.endsWith('.cc')),
  ];
  const folder = 'test/fuzz/build';
  const fromThere = (path) => relative(folder, path);
  const include = ['test/fuzz', 'test/fuzz/fake-node', 'proto/native'].map((path) => `-I${fromThere(path)}`);
  // The flags of Node.js's addons. With RTTI, UndefinedBehaviorSanitizer would use a pipe to inspect types,
  // which fails when no fds are left.
  const language = ['-std=c++20', '-D_GNU_SOURCE', '-fno-exceptions', '-fno-rtti'];
  // The addon's Init() is unused, because only Node.js calls it.
  const warnings = ['-Wall', '-Wextra', '-Wshadow', '-Wno-unused-function'];
  const sanitize = ['-fsanitize=fuzzer', ...SANITIZE];
  const flags = [...language, ...warnings, '-O1', '-g1', '-fno-omit-frame-pointer', ...sanitize, ...include];
  const inputs = digest([...own, ...addon], clang, ...flags, process.arch);
  await once(`${folder}/.inputs`, inputs, `${folder}/receive`, async () => {
    mkdirSync(join(root, folder), { recursive: true });
    const options = { cwd: join(root, folder) };
    const compile = `printf '%s\\0' "$@" | xargs -0 -n 1 -P ${availableParallelism()} ${clang} ${flags.join(' ')} -c`;
    await run('compiling the fuzzer', 'sh', ['-c', compile, 'sh', ...compiled.map(fromThere)], options);
    const objects = compiled.map((file) => `${basename(file, '.cc')}.o`);
    await run('linking the fuzzer', clang, [...sanitize, '-pthread', '-o', 'receive', ...objects], options);
  });
}

export async function buildSanitized() {
  await Promise.all([
    buildAddon('proto/native', 'vkmem_proto'),
    buildAddon('daemon/vulkan/native', 'vkmem_vulkan'),
    buildFault(),
    buildFuzzer(),
  ]);
}
