/**
 * Sizes as text: the one syntax of the policy and of vkmemctl, and the form in which both programs show
 * bytes. Units are powers of 1024: `64M`, `64MiB` and `65536K` are the same, in any case. `KB` is refused,
 * because it could mean 1000 bytes.
 */

/** With at most 30 digits: the time to convert more grows faster than their number. */
const SIZE = /^(-?\d{1,30})\s*(?:([KMGT])(?:iB)?|B)?$/i;
const PERCENT = /^(\d{1,9})\s*%$/;
const POWERS: Readonly<Record<string, bigint>> = { K: 10n, M: 20n, G: 30n, T: 40n };
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** The bytes of a size, which may be negative; undefined for any other text. */
export function bytesIn(text: string): bigint | undefined {
  const [, digits, unit = ''] = SIZE.exec(text.trim()) ?? [];
  return digits === undefined ? undefined : BigInt(digits) << (POWERS[unit.toUpperCase()] ?? 0n);
}

/** The number of a percentage such as '50%', which may exceed 100; undefined for any other text. */
export function percentIn(text: string): number | undefined {
  const [, percent] = PERCENT.exec(text.trim()) ?? [];
  return percent === undefined ? undefined : Number(percent);
}

/** A percentage of bytes, to three decimals of a percent, rounded down. */
export const percentOf = (bytes: bigint, percent: number): bigint =>
  (bytes * BigInt(Math.round(percent * 1000))) / 100_000n;

/** Bytes with a binary unit, and with one decimal if the value is not an integer: '64 MiB', '1.5 GiB'. */
export function humanBytes(bytes: bigint): string {
  let value = Number(bytes);
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(1);
  return `${shown} ${UNITS[unit]}`;
}
