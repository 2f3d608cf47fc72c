/**
 * Huge pages: which sizes the host has, and how many of each are free.
 *
 * The kernel says so in /sys. The figures are of the moment: another process may have the pages by the time that they
 * are asked for, and the kernel then refuses. Where /sys cannot be read nothing is known, and only the kernel can say.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = '/sys/kernel/mm/hugepages';
const ENTRY = /^hugepages-(\d+)kB$/;

/** The sizes that the kernel has, in bytes, ascending, whether any page is set aside or not; undefined: not known. */
export function hugePageSizes(): bigint[] | undefined {
  try {
    return readdirSync(FOLDER)
      .flatMap((name) => ENTRY.exec(name)?.[1] ?? [])
      .map((kilobytes) => BigInt(kilobytes) * 1024n)
      .sort((a, b) => (a < b ? -1 : 1));
  } catch {
    return undefined; // No /sys, or a kernel without huge pages.
  }
}

/**
 * How many huge pages of the size could be had now: free and promised to nobody, and those that the kernel may make beyond
 * what was set aside (nr_overcommit_hugepages). Undefined: not known.
 */
export function freeHugePages(bytes: bigint): bigint | undefined {
  const read = (what: string): bigint => {
    const text = readFileSync(join(FOLDER, `hugepages-${bytes / 1024n}kB`, `${what}_hugepages`), 'utf8');
    return BigInt(text.trim());
  };
  try {
    const spare = read('nr_overcommit') - read('surplus');
    const free = read('free') - read('resv') + (spare > 0n ? spare : 0n);
    return free > 0n ? free : 0n;
  } catch {
    return undefined;
  }
}
