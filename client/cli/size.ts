/**
 * Sizes as people type them: a whole number, and a unit of 1024s. `64M`, `64MiB` and `65536K` are the same.
 */
import { VkmemError } from '@vkmemd/proto';

const SIZE = /^(-?\d+)\s*(?:([KMGT])(?:iB)?|B)?$/i;
const POWERS: Record<string, bigint> = { K: 10n, M: 20n, G: 30n, T: 40n };

/**
 * @returns bytes; that they are positive is checked with the request.
 * @throws VkmemError INVALID_SIZE for anything else, such as KB, which could mean 1000.
 */
export function parseSize(text: string): bigint {
  const [, digits, unit] = SIZE.exec(text.trim()) ?? [];
  if (digits === undefined) {
    throw new VkmemError(
      'INVALID_SIZE',
      `${JSON.stringify(text)} is no size; write 65536, 64K, 64M, 2G or 64MiB.`,
    );
  }
  return BigInt(digits) << (POWERS[unit?.toUpperCase() ?? ''] ?? 0n);
}
