/** Programs in C of the benchmark, compiled for this machine into a folder of the run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FLAGS = ['-std=gnu11', '-D_GNU_SOURCE', '-O2'];

/**
 * Compiles with $CC, or `cc`, or `gcc`.
 * @param name Relative to this folder, such as `floor` or `gpu/client`.
 * @param folder for the program; the caller removes it.
 * @returns the program's path.
 * @throws Error where there is no compiler, or with its output.
 */
export function compile(name: string, folder: string): string {
  const compiler = process.env.CC ?? (spawnSync('cc', ['--version']).error ? 'gcc' : 'cc');
  const source = fileURLToPath(new URL(`../${name}.c`, import.meta.url));
  const program = join(folder, basename(name));
  try {
    execFileSync(compiler, [...FLAGS, '-o', program, source, '-ldl'], { stdio: ['ignore', 2, 2] });
  } catch (cause) {
    throw new Error(`${compiler} could not compile ${source}`, { cause });
  }
  return program;
}
