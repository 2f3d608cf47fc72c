/**
 * Finds a clang++ with libFuzzer and AddressSanitizer. Distributions append the version to its name, and have
 * the libraries in a separate package (Debian and Ubuntu: libclang-rt-dev).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter } from 'node:path';

const ARCHITECTURES = { x64: 'x86_64', arm64: 'aarch64' };

/** Whether the compiler's resource folder contains libFuzzer for this architecture. */
function hasFuzzer(clang) {
  const { status, stdout } = spawnSync(clang, ['-print-resource-dir'], { encoding: 'utf8' });
  const folder = stdout?.trim();
  if (status !== 0 || !existsSync(folder)) return false;
  const architecture = ARCHITECTURES[process.arch];
  // .../linux/libclang_rt.fuzzer-x86_64.a, or .../x86_64-unknown-linux-gnu/libclang_rt.fuzzer.a
  return readdirSync(folder, { recursive: true }).some(
    (path) => /libclang_rt\.fuzzer(-\w+)?\.a$/.test(path) && path.includes(architecture),
  );
}

/** The name of the newest suitable clang++ in PATH; undefined if there is none. */
export function clangWithFuzzer() {
  const names = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '' && existsSync(folder))
    .flatMap((folder) => readdirSync(folder))
    .filter((name) => /^clang\+\+(-\d+)?$/.test(name));
  const version = (name) => Number(name.split('-')[1] ?? 0);
  return [...new Set(names)].sort((a, b) => version(b) - version(a)).find(hasFuzzer);
}
