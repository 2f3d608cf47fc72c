/**
 * The Debian packages of the system libraries that binaries link to, in the versions that they need. They
 * follow from what the dynamic loader checks: the symbol versions of each library (`objdump -p`, which reads
 * the binaries of all processors). So the result depends neither on the processor nor on the libraries of the
 * machine that builds the package, as that of dpkg-shlibdeps would.
 */
import { execFileSync } from 'node:child_process';

/** Debian's libstdc++6 with a symbol version, by its last number, as the package's symbols file has it. */
const LIBSTDCXX = {
  GLIBCXX: { 22: 6, 24: 7, 25: 8, 26: 9, 28: '10.2', 29: 11, 30: 12, 31: '13.1' },
  CXXABI: { 10: 6, 11: '10.2', 13: 11, 14: '13.1' },
};

/** The lowest version of libstdc++6 with the last number of a symbol version, or a higher one. */
function libstdcxx(family, version) {
  const number = Number(version.split('.')[2] ?? 0);
  const known = Object.entries(LIBSTDCXX[family]);
  if (number > Number(known.at(-1)[0])) throw new Error(`no libstdc++6 is known with ${family}_${version}`);
  return number < Number(known[0][0]) ? '5' : String(known.find(([at]) => number <= Number(at))[1]);
}

/** Family of symbol versions -> the package, and its lowest version with such a symbol. */
const FAMILIES = {
  GLIBC: ['libc6', (version) => version],
  GCC: ['libgcc-s1', (version) => version],
  GLIBCXX: ['libstdc++6', (version) => libstdcxx('GLIBCXX', version)],
  CXXABI: ['libstdc++6', (version) => libstdcxx('CXXABI', version)],
};
/** The libraries of these packages. */
const KNOWN = /^(lib(c|m|dl|pthread|rt|gcc_s|stdc\+\+)|ld-linux-[\w-]+)\.so\.\d+$/;

const compare = (one, other) => one.localeCompare(other, 'en', { numeric: true });

/** The libraries that a binary is linked to, and the symbol versions that it needs. */
function needs(binary) {
  const text = execFileSync('objdump', ['--private-headers', binary], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const libraries = [...text.matchAll(/^ +NEEDED +(\S+)$/gm)].map(([, name]) => name);
  const [, references = ''] = text.split('Version References:');
  const versions = [...references.matchAll(/ ([A-Z]+)_(\d[\d.]*)$/gm)].map(([, ...version]) => version);
  return { libraries, versions };
}

/** Items of Depends, such as `libc6 (>= 2.34)`. */
export function libraryDependencies(binaries) {
  const lowest = new Map();
  for (const binary of binaries) {
    const { libraries, versions } = needs(binary);
    const other = libraries.find((name) => !KNOWN.test(name));
    if (other) throw new Error(`${binary} is linked to ${other}, whose package is not known`);
    for (const [family, symbols] of versions) {
      const [name, packaged] = FAMILIES[family] ?? [];
      if (!name) throw new Error(`${binary} needs ${family}_${symbols}, whose package is not known`);
      const version = packaged(symbols);
      if (compare(lowest.get(name) ?? '0', version) < 0) lowest.set(name, version);
    }
  }
  return [...lowest].sort().map(([name, version]) => `${name} (>= ${version})`);
}
