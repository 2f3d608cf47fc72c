/** Bigints in JSON: strings of digits that end with n. */

/** A replacer for JSON.stringify(). */
export const writeBigint = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? `${value}n` : value;

/** A reviver for JSON.parse(). */
export const readBigint = (_key: string, value: unknown): unknown =>
  typeof value === 'string' && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value;
