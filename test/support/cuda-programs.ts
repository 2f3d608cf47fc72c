/**
 * Programs in C that use CUDA (examples/cuda, bench/gpu), and the library without a GPU that they run on in `npm
 * test` (test/gpu/fake-cuda.c).
 */
import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { plainEnvironment, root } from './daemon.js';

const FLAGS = ['-std=gnu11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror'];

/** Compiles a program of the repository without a warning. @returns Its path, in the folder. */
export function compileProgram(source: string, folder: string, name: string): string {
  const program = join(folder, name);
  execFileSync('gcc', [...FLAGS, '-o', program, join(root, source), '-ldl'], { stdio: ['ignore', 2, 2] });
  return program;
}

/**
 * Compiles the fake libcuda.so.1 into a folder.
 * @param uuids Of its devices, 32 hexadecimal digits each.
 * @returns The environment of programs that use it.
 */
export function fakeCuda(folder: string, uuids: readonly string[]): NodeJS.ProcessEnv {
  const library = ['-shared', '-fPIC', '-o', join(folder, 'libcuda.so.1')];
  execFileSync('gcc', [...FLAGS, ...library, join(root, 'test/gpu/fake-cuda.c')], {
    stdio: ['ignore', 2, 2],
  });
  return { LD_LIBRARY_PATH: folder, FAKE_CUDA_DEVICES: uuids.join(',') };
}

/** Runs a command in a session, with 64 MiB of OPAQUE_FD memory under the label `weights`. */
export function runWithWeights(
  runtimeDir: string,
  command: readonly string[],
  env: NodeJS.ProcessEnv = {},
): SpawnSyncReturns<string> {
  const wanted = 'name=weights,size=64M,kind=OPAQUE_FD,lifetime=session';
  const program = join(root, 'client/typescript/bin/vkmemctl.js');
  return spawnSync(process.execPath, [program, 'exec', '--allocate', wanted, '--', ...command], {
    env: { ...plainEnvironment(), VKMEMD_RUNTIME_DIR: runtimeDir, ...env },
    encoding: 'utf8',
    timeout: 120_000,
  });
}

/** What examples/cuda prints, in C and in Python. */
export function expectedLines(devices: number): RegExp[] {
  return [
    /^64 MiB of GPU \d+ at 0x700000000000$/,
    ...(devices > 1 ? [new RegExp(`^${devices} of ${devices} GPUs write it at the same address$`)] : []),
    /^slept and woke at the same address: the bytes and a graph captured before are valid$/,
    /^read-only mapping: reads are right, a write is refused: CUDA_ERROR_\w+( \(\d+\))?$/,
  ];
}
