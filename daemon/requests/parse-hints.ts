/**
 * Hints of a request, checked. Whether the device and the host can do what they ask for is seen when the
 * memory is planned and made.
 */
import { type Decoded, hugePageSizes, VkmemError } from '@vkmemd/proto';
import type { Hints } from '../vulkan/hints.js';

const MAX_ALIGNMENT = 1n << 30n;

const isPowerOfTwo = (bytes: bigint): boolean => bytes > 0n && (bytes & (bytes - 1n)) === 0n;

/**
 * @returns undefined where nothing is asked for.
 * @throws VkmemError INVALID_ARGUMENT; HUGE_PAGES_UNAVAILABLE for a size of huge pages that the kernel does
 *   not have.
 */
export function parseHints(hints: Decoded<'AllocateRequest'>['hints']): Hints | undefined {
  if (!hints) return undefined;
  const { powerOfTwo, alignmentBytes: alignment, prefault, hugePageBytes: hugePage, reopenable } = hints;
  if (alignment !== 0n && (!isPowerOfTwo(alignment) || alignment > MAX_ALIGNMENT)) {
    throw invalid('alignment_bytes', `${alignment} is no power of two up to ${MAX_ALIGNMENT}.`);
  }
  if (hugePage !== 0n) requireHugePage(hugePage);
  const asked = powerOfTwo || alignment > 0n || prefault || hugePage > 0n || reopenable;
  return asked ? { powerOfTwo, alignment, prefault, hugePage, reopenable } : undefined;
}

function requireHugePage(bytes: bigint): void {
  if (!isPowerOfTwo(bytes)) throw invalid('huge_page_bytes', `${bytes} is no power of two.`);
  const sizes = hugePageSizes();
  if (!sizes || sizes.includes(bytes)) return;
  const there = sizes.length > 0 ? `those of ${sizes.join(' and ')} bytes` : 'none';
  throw new VkmemError(
    'HUGE_PAGES_UNAVAILABLE',
    `There are no huge pages of ${bytes} bytes here, but ${there}.`,
    {
      huge_page_bytes: String(bytes),
      sizes: sizes.join(','),
    },
  );
}

function invalid(field: string, reason: string): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', `${field}: ${reason}`, { field: `hints.${field}` });
}
