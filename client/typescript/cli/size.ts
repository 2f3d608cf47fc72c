/**
 * Parses sizes, in the syntax of the policy (proto/contract/size.ts), and numbers without a unit: decimal or
 * 0x.
 */
import { bytesIn, VkmemError } from '@vkmemd/proto';

/**
 * Parses a size.
 * @returns Bytes. That they are positive is checked with the request.
 * @throws VkmemError INVALID_SIZE for anything else, such as KB, which could mean 1000.
 */
export function parseSize(text: string): bigint {
  const bytes = bytesIn(text);
  if (bytes !== undefined) return bytes;
  throw new VkmemError(
    'INVALID_SIZE',
    `${JSON.stringify(text)} is not a size; write 65536, 64K, 64M, 2G or 64MiB.`,
  );
}

/**
 * Parses a number.
 * @param what The name of the option, for errors.
 * @returns An integer. That it has 32 bits is checked with the request.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export const parseNumber = (what: string, text: string): number => Number(parseInteger(what, text));

/** The same, for a number of up to 64 bits. */
export function parseInteger(what: string, text: string): bigint {
  if (/^(\d+|0x[0-9a-f]+)$/i.test(text.trim())) return BigInt(text.trim());
  const reason = `${what}: ${JSON.stringify(text)} is not a number; write 19 or 0x13.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: what });
}
