/**
 * Parses the hints of a request. Whether the device and the host support them is checked when the memory is
 * planned and made.
 */
import { type Decoded, hugePageSizes, VkmemError } from '@vkmemd/proto';
import type { Hints } from '../vulkan/hints.js';

const MAX_ALIGNMENT = 1n << 30n;

const isPowerOfTwo = (bytes: bigint): boolean => bytes > 0n && (bytes & (bytes - 1n)) === 0n;

/**
 * @returns undefined if no hint is set.
 * @throws VkmemError INVALID_ARGUMENT; HUGE_PAGES_UNAVAILABLE for a size of huge pages that the kernel does
 *   not support.
 */
export function parseHints(hints: Decoded<'AllocateRequest'>['hints']): Hints | undefined {
  if (!hints) return undefined;
  const { powerOfTwo, alignmentBytes: alignment, prefault, hugePageBytes: hugePage, reopenable } = hints;
  if (alignment !== 0n && (!isPowerOfTwo(alignment) || alignment > MAX_ALIGNMENT)) {
    throw invalid('alignment_bytes', `${alignment} is not a power of two up to ${MAX_ALIGNMENT}.`);
  }
  if (hugePage !== 0n) requireHugePage(hugePage);
  const asked = powerOfTwo || alignment > 0n || prefault || hugePage > 0n || reopenable;
  return asked ? { powerOfTwo, alignment, prefault, hugePage, reopenable } : undefined;
}

function requireHugePage(bytes: bigint): void {
  if (!isPowerOfTwo(bytes)) throw invalid('huge_page_bytes', `${bytes} is not a power of two.`);
  const sizes = hugePageSizes();
  if (!sizes || sizes.includes(bytes)) return;
  const there = sizes.length > 0 ? `${sizes.join(' and ')} bytes` : 'no huge pages';
  throw new VkmemError(
    'HUGE_PAGES_UNAVAILABLE',
    `The kernel has no huge pages of ${bytes} bytes; it has ${there}.`,
    {
      huge_page_bytes: String(bytes),
      sizes: sizes.join(','),
    },
  );
}

function invalid(field: string, reason: string): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', `${field}: ${reason}`, { field: `hints.${field}` });
}
