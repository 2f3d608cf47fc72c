/**
 * What callers hand in, checked before anything is sent.
 *
 * A mistake gets the code that the daemon would give it. Most of all, nothing reaches the encoder that it
 * would quietly turn into something else: a fraction of a byte, a number beyond 64 bits, the name of a kind
 * that the schema does not have. What only the daemon can know (names taken, room left, rights) is left to
 * the daemon.
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

/** A number of bytes. A `number` must be a whole one; from 2^53 on use bigint. */
export type Bytes = bigint | number;

/**
 * Names an allocation: by its id, or by its name. `{ name: 'frames' }` is looked up among the caller's own,
 * `{ name: '1000/frames' }` among those of user 1000. A Memory names its allocation too.
 */
export type Ref = { readonly id: string } | { readonly name: string };

/** int64 on the wire. */
const END_OF_INT64 = 2n ** 63n;
/** Longer than any name or id can be, and far shorter than a datagram. */
const MAX_NAME_LENGTH = 256;
const MAX_WAIT_MS = 3_600_000;

function wholeBytes(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : undefined;
}

/** @throws VkmemError INVALID_SIZE below 1 or not whole, SIZE_ABOVE_MAXIMUM from 2^63 on. */
export function checkSize(size: unknown): bigint {
  const bytes = wholeBytes(size);
  if (bytes === undefined)
    throw new VkmemError('INVALID_SIZE', `${String(size)} is no whole number of bytes.`);
  if (bytes <= 0n) throw new VkmemError('INVALID_SIZE', `${bytes} bytes were asked for.`);
  if (bytes >= END_OF_INT64) {
    throw new VkmemError('SIZE_ABOVE_MAXIMUM', `${bytes} bytes were asked for; no heap has 2^63.`, {
      requested_bytes: String(bytes),
    });
  }
  return bytes;
}

/**
 * An offset or a length inside an allocation.
 * @param least 0 for an offset, 1 for a length.
 * @throws VkmemError INVALID_RANGE.
 */
export function checkRangePart(what: string, value: unknown, least: bigint): bigint {
  const bytes = wholeBytes(value);
  if (bytes !== undefined && bytes >= least && bytes < END_OF_INT64) return bytes;
  throw new VkmemError(
    'INVALID_RANGE',
    `${what}: ${String(value)} is no whole number of bytes from ${least} on.`,
  );
}

/** @throws VkmemError KIND_NOT_REQUESTED for none at all, KIND_UNSUPPORTED for one that does not exist. */
export function checkKinds(kinds: unknown): readonly KindName[] {
  if (!Array.isArray(kinds) || kinds.length === 0) {
    throw new VkmemError('KIND_NOT_REQUESTED', 'The request names no kind.');
  }
  for (const kind of kinds as unknown[]) checkKind(kind);
  return kinds as KindName[];
}

/** @throws VkmemError KIND_UNSUPPORTED. */
export function checkKind(kind: unknown): KindName {
  const known = KIND_NAMES.find((name) => name === kind);
  if (known) return known;
  throw new VkmemError(
    'KIND_UNSUPPORTED',
    `There is no kind ${String(kind)}; there are ${KIND_NAMES.join(', ')}.`,
    {
      kind: String(kind),
    },
  );
}

/** @throws VkmemError INVALID_ARGUMENT. */
export function checkAccess(access: unknown): AccessName {
  if (access === 'rw' || access === 'ro') return access;
  throw new VkmemError('INVALID_ARGUMENT', `There is no access ${String(access)}; there are 'rw' and 'ro'.`, {
    field: 'access',
  });
}

/** @throws VkmemError INVALID_ARGUMENT. */
export function checkLifetime(lifetime: unknown): LifetimeName {
  if (lifetime === 'SESSION' || lifetime === 'NAMED') return lifetime;
  throw new VkmemError(
    'INVALID_ARGUMENT',
    `There is no lifetime ${String(lifetime)}; there are SESSION and NAMED.`,
    {
      field: 'lifetime',
    },
  );
}

/**
 * A new allocation's name; which letters it may have is the daemon's to say.
 * @throws VkmemError INVALID_NAME.
 */
export function checkName(name: unknown): string {
  if (typeof name === 'string' && name.length <= MAX_NAME_LENGTH) return name;
  throw new VkmemError('INVALID_NAME', `The name is ${describe(name)}.`);
}

/** @throws VkmemError INVALID_ARGUMENT where it names nothing, or could never name anything. */
export function checkRef(ref: unknown): AllocationRef {
  const { id, name } = (ref ?? {}) as { id?: unknown; name?: unknown };
  const [field, value] = id === undefined ? (['name', name] as const) : (['id', id] as const);
  if (typeof value === 'string' && value !== '' && value.length <= MAX_NAME_LENGTH) return { [field]: value };
  throw new VkmemError(
    'INVALID_ARGUMENT',
    `An allocation is named by { id } or { name }, not by ${describe(value)}.`,
    {
      field: 'allocation',
    },
  );
}

/**
 * Thirty-two bits: a pattern, Vulkan's flags, or a count.
 * @param least 0, or 1 for what must not be 0.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function checkUint32(field: string, value: unknown, least: 0 | 1 = 0): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value < 2 ** 32) return value;
  const reason = `${field}: ${describe(value)} is no number from ${least} to 2^32 - 1.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field });
}

/**
 * One of a few words.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function checkWord<T extends string>(field: string, value: unknown, words: readonly T[]): T {
  const known = words.find((word) => word === value);
  if (known) return known;
  const reason = `${field}: there is no ${describe(value)}; there are ${words.join(', ')}.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field });
}

/** VkMemoryPropertyFlags, as names or as their bits. @throws VkmemError INVALID_ARGUMENT. */
export function checkPropertyFlags(field: string, flags: unknown): number {
  if (!Array.isArray(flags)) return checkUint32(field, flags);
  const names: PropertyFlagName[] = flags.map((name) => checkWord(field, name, PROPERTY_FLAG_NAMES));
  return propertyFlagsToWire(names);
}

/** How long a claim waits, in milliseconds. @throws VkmemError INVALID_ARGUMENT. */
export function checkWait(waitMs: unknown): number {
  const wait = checkUint32('waitMs', waitMs);
  if (wait <= MAX_WAIT_MS) return wait;
  const reason = `waitMs: ${wait} is more than an hour.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'waitMs' });
}

/** How long to try to reach the daemon again, in milliseconds. @throws VkmemError INVALID_ARGUMENT. */
export function checkReconnect(reconnectMs: unknown): number {
  if (typeof reconnectMs === 'number' && reconnectMs >= 0) return reconnectMs;
  const reason = `reconnectMs: ${describe(reconnectMs)} is no number of milliseconds.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'reconnectMs' });
}

/** The 16 bytes of a UUID. @throws VkmemError INVALID_ARGUMENT. */
export function checkUuid(field: string, uuid: unknown): Uint8Array {
  if (uuid instanceof Uint8Array && uuid.length === 16) return uuid;
  throw new VkmemError('INVALID_ARGUMENT', `${field}: it is not the 16 bytes of a UUID.`, { field });
}

function describe(value: unknown): string {
  if (typeof value === 'string' && value.length > MAX_NAME_LENGTH) return `${value.length} characters long`;
  return typeof value === 'string'
    ? JSON.stringify(value)
    : inspect(value, { depth: 0, breakLength: Infinity });
}
