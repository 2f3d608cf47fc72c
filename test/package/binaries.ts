/**
 * The binaries of an unpacked Debian package: for which processor they are, and on which systems they run.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

/** Of Ubuntu 22.04; Debian 12 has newer ones. */
const NEWEST = { GLIBC: '2.35', GLIBCXX: '3.4.30', CXXABI: '1.3.13' } as const;
/** e_machine of ELF. */
const MACHINES: Readonly<Record<number, string>> = { 62: 'x64', 183: 'arm64' };
const COUNT = 7;

const compare = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });

/** The processor of an ELF file, in the words of Node.js; undefined for any other file. */
export function processorOf(file: string): string | undefined {
  const header = Buffer.alloc(20);
  const fd = openSync(file, 'r');
  try {
    readSync(fd, header);
  } finally {
    closeSync(fd);
  }
  if (header.toString('latin1', 0, 4) !== '\x7fELF') return undefined;
  return MACHINES[header.readUInt16LE(18)] ?? 'another';
}

/**
 * Every ELF file of the package is for the processor, and needs no newer libraries than all supported systems
 * have.
 */
export function checkBinaries(t: Test, folder: string, arch: string): void {
  // Symbolic links to folders are in node_modules/@vkmemd.
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.includes('@vkmemd/'))
    .map((path) => join(folder, path))
    .filter((path) => lstatSync(path).isFile());
  const binaries = files.filter((file) => processorOf(file) !== undefined);
  t.equal(binaries.length, COUNT, binaries.join(', '));
  for (const binary of binaries) {
    t.equal(processorOf(binary), arch, binary);
    // Its version references: those of symbols that it imports.
    const { stdout } = spawnSync('objdump', ['--private-headers', binary], { encoding: 'utf8' });
    const [, references = ''] = stdout.split('Version References:');
    t.match(references, 'GLIBC_2.', `${binary} was read`);
    for (const [family, most] of Object.entries(NEWEST)) {
      const versions = [...references.matchAll(new RegExp(` ${family}_([0-9.]+)`, 'g'))].map(
        ([, version = '']) => version,
      );
      const newest = versions.sort(compare).at(-1) ?? '0';
      t.ok(compare(newest, most) <= 0, `${binary}: ${family}_${newest} is at most ${family}_${most}`);
    }
  }
}
