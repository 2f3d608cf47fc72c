/**
 * Huge pages: the sizes that the host supports, and how many of each are free, as reported in
 * /sys/kernel/mm/hugepages.
 *
 * The numbers may be out of date when memory is created: if another process has taken the pages, the kernel
 * refuses the request. Where /sys cannot be read, the numbers are unknown.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = '/sys/kernel/mm/hugepages';
const ENTRY = /^hugepages-(\d+)kB$/;

/**
 * The page sizes that the kernel supports, in bytes, ascending, including sizes without reserved pages.
 * Undefined if unknown.
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
 * The number of huge pages that can be allocated now: those that are free and not reserved by a mapping, plus
 * those that the kernel may allocate beyond the pool (nr_overcommit_hugepages). Undefined if unknown.
 * @param bytes The size of one page.
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
