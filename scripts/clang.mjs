/**
 * A clang++ that has libFuzzer and AddressSanitizer. Distributions put numbers behind its name, and the libraries into a
 * package of their own (Debian and Ubuntu: libclang-rt-dev).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter } from 'node:path';

const ARCHITECTURES = { x64: 'x86_64', arm64: 'aarch64' };

/** Whether a compiler's own folder holds libFuzzer for this machine. */
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

/** The name of the newest one on the path; undefined where there is none. */
export function clangWithFuzzer() {
  const names = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '' && existsSync(folder))
    .flatMap((folder) => readdirSync(folder))
    .filter((name) => /^clang\+\+(-\d+)?$/.test(name));
  const version = (name) => Number(name.split('-')[1] ?? 0);
  return [...new Set(names)].sort((a, b) => version(b) - version(a)).find(hasFuzzer);
}
