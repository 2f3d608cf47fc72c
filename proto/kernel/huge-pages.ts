/**
 * Huge pages: which sizes the host has, and how many of each are free, as /sys/kernel/mm/hugepages reports.
 *
 * The numbers may be out of date when memory is created: another process may have taken the pages, and the
 * kernel then refuses. Where /sys cannot be read the numbers are unknown.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = '/sys/kernel/mm/hugepages';
const ENTRY = /^hugepages-(\d+)kB$/;

/**
 * The sizes that the kernel supports, in bytes, ascending, with or without reserved pages; undefined if
 * unknown.
 */
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
 * How many huge pages of the size (in bytes) can be allocated now: free and not reserved by a mapping, plus
 * those that the kernel may allocate beyond the pool (nr_overcommit_hugepages). Undefined if unknown.
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
