/**
 * Sizes as people type them: a whole number, and a unit of 1024s. `64M`, `64MiB` and `65536K` are the same.
 * And numbers without a unit: decimal or 0x.
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

/**
 * @param what it is, as an option's name.
 * @returns a whole number; that it has 32 bits is checked with the request.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function parseNumber(what: string, text: string): number {
  if (/^(\d+|0x[0-9a-f]+)$/i.test(text.trim())) return Number(text);
  const reason = `${what}: ${JSON.stringify(text)} is no number; write 19 or 0x13.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: what });
}
