/**
 * Checks of the arguments of callers, before a request is sent.
 *
 * An invalid argument fails with the code that the daemon would use. The checks also keep values from the
 * encoder that it would silently convert to other ones: a fraction of a byte, a number beyond 64 bits, the
 * name of a kind that is not in the schema. Conditions that only the daemon can check (names, available
 * memory, rights) are left to it.
 */
import { inspect } from 'node:util';
import {
  type AccessName,
  type AllocationRef,
  KIND_NAMES,
  type KindName,
  type LifetimeName,
  PROPERTY_FLAG_NAMES,
  type PropertyFlagName,
  propertyFlagsToWire,
  VkmemError,
} from '@vkmemd/proto';

/** A number of bytes. A `number` must be an integer; use bigint from 2^53. */
export type Bytes = bigint | number;

/**
 * Names an allocation by its id or its name. `{ name: 'frames' }` is looked up among the caller's own
 * allocations, `{ name: '1000/frames' }` among those of user 1000. A Memory can be used as a Ref to its
 * allocation.
 */
export type Ref = { readonly id: string } | { readonly name: string };

/** Sizes are int64 on the wire. */
const END_OF_INT64 = 2n ** 63n;
/** Longer than any name or id, and much shorter than a datagram. */
const MAX_NAME_LENGTH = 256;
const MAX_WAIT_MS = 3_600_000;
const MAX_MODIFIERS = 64;

function wholeBytes(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : undefined;
}

/**
 * Checks a size.
 * @throws VkmemError INVALID_SIZE below 1 or if it is not an integer; SIZE_ABOVE_MAXIMUM from 2^63.
 */
export function checkSize(size: unknown): bigint {
  const bytes = wholeBytes(size);
  if (bytes === undefined)
    throw new VkmemError('INVALID_SIZE', `size: ${String(size)} is not an integer number of bytes.`);
  if (bytes <= 0n) throw new VkmemError('INVALID_SIZE', `size: ${bytes} bytes were requested.`);
  if (bytes >= END_OF_INT64) {
    throw new VkmemError(
      'SIZE_ABOVE_MAXIMUM',
      `size: ${bytes} bytes were requested; the maximum is 2^63 - 1.`,
      {
        requested_bytes: String(bytes),
      },
    );
  }
  return bytes;
}

/**
 * Checks an offset or a length inside an allocation.
 * @param least The minimum: 0 for an offset, 1 for a length.
 * @throws VkmemError INVALID_RANGE.
 */
export function checkRangePart(what: string, value: unknown, least: bigint): bigint {
  const bytes = wholeBytes(value);
  if (bytes !== undefined && bytes >= least && bytes < END_OF_INT64) return bytes;
  throw new VkmemError(
    'INVALID_RANGE',
    `${what}: ${String(value)} is not an integer number of bytes, at least ${least}.`,
  );
}

/**
 * Checks a list of kinds.
 * @throws VkmemError KIND_NOT_REQUESTED for an empty list, KIND_UNSUPPORTED for an unknown kind.
 */
export function checkKinds(kinds: unknown): readonly KindName[] {
  if (!Array.isArray(kinds) || kinds.length === 0) {
    throw new VkmemError('KIND_NOT_REQUESTED', 'kinds: the list is empty.');
  }
  for (const kind of kinds as unknown[]) checkKind(kind);
  return kinds as KindName[];
}

/**
 * Checks a kind.
 * @throws VkmemError KIND_UNSUPPORTED.
 */
export function checkKind(kind: unknown): KindName {
  const known = KIND_NAMES.find((name) => name === kind);
  if (known) return known;
  throw new VkmemError('KIND_UNSUPPORTED', `kind: ${String(kind)} is not one of ${KIND_NAMES.join(', ')}.`, {
    kind: String(kind),
  });
}

/**
 * Checks an access.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function checkAccess(access: unknown): AccessName {
  if (access === 'rw' || access === 'ro') return access;
  throw new VkmemError('INVALID_ARGUMENT', `access: ${describe(access)} is neither 'rw' nor 'ro'.`, {
    field: 'access',
  });
}

/**
 * Checks a lifetime.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function checkLifetime(lifetime: unknown): LifetimeName {
  if (lifetime === 'SESSION' || lifetime === 'NAMED') return lifetime;
  throw new VkmemError('INVALID_ARGUMENT', `lifetime: ${describe(lifetime)} is neither SESSION nor NAMED.`, {
    field: 'lifetime',
  });
}

/**
 * Checks the name of a new allocation. The daemon checks its characters.
 * @throws VkmemError INVALID_NAME.
 */
export function checkName(name: unknown): string {
  if (typeof name === 'string' && name.length <= MAX_NAME_LENGTH) return name;
  throw new VkmemError(
    'INVALID_NAME',
    `name: ${describe(name)} is not a text of at most ${MAX_NAME_LENGTH} characters.`,
  );
}

/**
 * Checks a reference to an allocation, and converts it.
 * @throws VkmemError INVALID_ARGUMENT if it has no valid id or name.
 */
export const checkRef = (ref: unknown): AllocationRef => checkRefOf('allocation', ref);

/**
 * Checks a reference to what a field of the request names, and converts it.
 * @throws VkmemError INVALID_ARGUMENT if it has no valid id or name.
 */
export function checkRefOf(what: string, ref: unknown): { id?: string; name?: string } {
  const { id, name } = (ref ?? {}) as { id?: unknown; name?: unknown };
  const [field, value] = id === undefined ? (['name', name] as const) : (['id', id] as const);
  if (typeof value === 'string' && value !== '' && value.length <= MAX_NAME_LENGTH) return { [field]: value };
  throw new VkmemError(
    'INVALID_ARGUMENT',
    `${what}: use { id } or { name } with 1 to ${MAX_NAME_LENGTH} characters, not ${describe(value)}.`,
    {
      field: what,
    },
  );
}

/**
 * Checks an unsigned 32-bit number: a pattern, Vulkan's flags, or a count.
 * @param least The minimum.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function checkUint32(field: string, value: unknown, least: 0 | 1 = 0): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value < 2 ** 32) return value;
  const reason = `${field}: ${describe(value)} is not an integer from ${least} to 2^32 - 1.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field });
}

/**
 * Checks that a value is one of the words.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function checkWord<T extends string>(field: string, value: unknown, words: readonly T[]): T {
  const known = words.find((word) => word === value);
  if (known) return known;
  const reason = `${field}: ${describe(value)} is not one of ${words.join(', ')}.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field });
}

/**
 * Checks memory properties, and converts them to VkMemoryPropertyFlags.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function checkPropertyFlags(field: string, flags: unknown): number {
  if (!Array.isArray(flags)) return checkUint32(field, flags);
  const names: PropertyFlagName[] = flags.map((name) => checkWord(field, name, PROPERTY_FLAG_NAMES));
  return propertyFlagsToWire(names);
}

/**
 * Checks DRM format modifiers.
 * @param tiling Of the image.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function checkModifiers(field: string, modifiers: unknown, tiling: string): bigint[] {
  const wrong = (reason: string) => new VkmemError('INVALID_ARGUMENT', `${field}: ${reason}`, { field });
  if (!Array.isArray(modifiers)) throw wrong(`${describe(modifiers)} is not an array.`);
  if (modifiers.length > MAX_MODIFIERS) {
    throw wrong(`${modifiers.length} elements; the maximum is ${MAX_MODIFIERS}.`);
  }
  if (modifiers.length > 0 && tiling !== 'DRM_FORMAT_MODIFIER') {
    throw wrong(`they need the tiling 'DRM_FORMAT_MODIFIER', not ${describe(tiling)}.`);
  }
  const checked = modifiers.map((modifier: unknown) => {
    const valid = typeof modifier === 'bigint' || Number.isSafeInteger(modifier);
    const value = valid ? BigInt(modifier as bigint | number) : -1n;
    if (value >= 0n && value < 2n ** 64n) return value;
    throw wrong(`${describe(modifier)} is not an integer from 0 to 2^64 - 1.`);
  });
  if (new Set(checked).size < checked.length) throw wrong('one of them occurs twice.');
  return checked;
}

/**
 * Checks how long a claim waits, in milliseconds.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function checkWait(waitMs: unknown): number {
  const wait = checkUint32('waitMs', waitMs);
  if (wait <= MAX_WAIT_MS) return wait;
  const reason = `waitMs: ${wait} is above the maximum of ${MAX_WAIT_MS} (an hour).`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'waitMs' });
}

/**
 * Checks how long to try to reach the daemon again, in milliseconds.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function checkReconnect(reconnectMs: unknown): number {
  if (typeof reconnectMs === 'number' && reconnectMs >= 0) return reconnectMs;
  const reason = `reconnectMs: ${describe(reconnectMs)} is not a number of milliseconds, at least 0.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'reconnectMs' });
}

/**
 * Checks the bytes of a UUID.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function checkUuid(field: string, uuid: unknown): Uint8Array {
  if (uuid instanceof Uint8Array && uuid.length === 16) return uuid;
  const what = uuid instanceof Uint8Array ? `a Uint8Array of ${uuid.length} bytes` : describe(uuid);
  throw new VkmemError('INVALID_ARGUMENT', `${field}: ${what} is not a Uint8Array of 16 bytes.`, { field });
}

/** A value of a caller, for an error text. */
export function describe(value: unknown): string {
  if (typeof value === 'string' && value.length > MAX_NAME_LENGTH)
    return `a text of ${value.length} characters`;
  return typeof value === 'string'
    ? JSON.stringify(value)
    : inspect(value, { depth: 0, breakLength: Infinity });
}
