/**
 * Parses fields that several requests have, before anything is charged. Both planes carry the same messages,
 * so a fault has the same code on either plane.
 */
import {
  type AccessName,
  DEDICATION_NAMES,
  type Decoded,
  type DedicationName,
  KINDS_BY_WIRE,
  type KindName,
  type LifetimeName,
  SHARING_NAMES,
  type SharingName,
  uuidText,
  VkmemError,
} from '@vkmemd/proto';
import type { WantedTerms } from '../memory/allocation/creation.js';

export type { WantedTerms } from '../memory/allocation/creation.js';

const MAX_REQUEST_ID_BYTES = 64;
/** The most devices of one host that a process names. */
const MAX_DEVICES = 64;
const UUID_BYTES = 16;
const NAME = /^[A-Za-z0-9._-]{1,128}$/;

/**
 * Parses the fields that Allocate and Import have in common: lifetime, name, grants. Allocate overrides the
 * last four fields of the result.
 * @throws VkmemError KIND_NOT_REQUESTED, KIND_UNSUPPORTED, INVALID_NAME, INVALID_ARGUMENT.
 */
export function parseTerms(
  request: Pick<Decoded<'AllocateRequest'>, 'grantKinds' | 'lifetime' | 'name'>,
  kinds: readonly KindName[],
): WantedTerms {
  const grantKinds = request.grantKinds.length > 0 ? parseKinds(request.grantKinds) : [];
  const missing = grantKinds.find((kind) => !kinds.includes(kind));
  if (missing) {
    const reason = `grant_kinds has ${missing}, but kinds has only ${kinds.join(', ') || 'none'}.`;
    throw new VkmemError('KIND_NOT_REQUESTED', reason, { kind: missing });
  }
  return {
    kinds,
    grantKinds,
    ...parseNamed(request),
    access: 'rw',
    sharing: 'SHARED',
    publishable: false,
    requestId: '',
  };
}

/**
 * Lifetime and name of what a request makes, which must agree.
 * @throws VkmemError INVALID_NAME, INVALID_ARGUMENT.
 */
export function parseNamed(request: Pick<Decoded<'AllocateRequest'>, 'lifetime' | 'name'>): {
  readonly lifetime: LifetimeName;
  readonly name: string;
} {
  const { name } = request;
  const lifetime = parseLifetime(request.lifetime, name);
  if (lifetime === 'NAMED' ? NAME.test(name) : name === '') return { lifetime, name };
  throw new VkmemError(
    'INVALID_NAME',
    `The name is ${JSON.stringify(name)}, the lifetime ${lifetime}.`,
    {},
    undefined,
    name.includes('/')
      ? 'Allocate under a name without a slash; claim the memory of another user as UID/NAME.'
      : undefined,
  );
}

/**
 * The kinds of a request, without duplicates.
 * @throws VkmemError KIND_NOT_REQUESTED for an empty list, KIND_UNSUPPORTED for a kind that this daemon does
 *   not know.
 */
export function parseKinds(kinds: readonly unknown[]): KindName[] {
  if (kinds.length === 0) throw new VkmemError('KIND_NOT_REQUESTED', 'The request names no kind.');
  const known = kinds.map((kind) => {
    const name = KINDS_BY_WIRE.get(kind);
    if (!name)
      throw new VkmemError('KIND_UNSUPPORTED', `${String(kind)} is not a kind that this daemon knows.`, {
        kind: String(kind),
      });
    return name;
  });
  return [...new Set(known)];
}

/** @throws VkmemError INVALID_ARGUMENT for an access that this daemon does not know. */
export function parseAccess(access: unknown): AccessName {
  if (access === 'ACCESS_READ_ONLY') return 'ro';
  if (access === 'ACCESS_READ_WRITE' || access === 'ACCESS_UNSPECIFIED') return 'rw';
  const reason = `access is ${String(access)}; it must be ACCESS_READ_WRITE or ACCESS_READ_ONLY.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'access' });
}

/** @throws VkmemError INVALID_ARGUMENT if it is too long. */
export function parseRequestId(id: string): string {
  const bytes = Buffer.byteLength(id);
  if (bytes <= MAX_REQUEST_ID_BYTES) return id;
  const reason = `request_id has ${bytes} bytes; the maximum is ${MAX_REQUEST_ID_BYTES}.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'request_id' });
}

/** @throws VkmemError INVALID_ARGUMENT for a sharing that this daemon does not know. */
export const parseSharing = (sharing: unknown): SharingName =>
  parseWord('sharing', sharing, SHARING_NAMES, 'SHARED');

/** @throws VkmemError INVALID_ARGUMENT for a dedication that this daemon does not know. */
export const parseDedication = (dedication: unknown): DedicationName =>
  parseWord('dedication', dedication, DEDICATION_NAMES, 'AUTO');

/** The short name of an enumerator whose prefix is the field's name. @param otherwise That of UNSPECIFIED. */
function parseWord<T extends string>(field: string, word: unknown, names: readonly T[], otherwise: T): T {
  const onWire = (name: string): string => `${field.toUpperCase()}_${name}`;
  if (word === onWire('UNSPECIFIED')) return otherwise;
  const known = names.find((name) => word === onWire(name));
  if (known !== undefined) return known;
  const reason = `${field} is ${String(word)}; it must be one of ${names.map(onWire).join(', ')}.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field });
}

function parseLifetime(lifetime: unknown, name: string): LifetimeName {
  if (lifetime === 'LIFETIME_SESSION') return 'SESSION';
  if (lifetime === 'LIFETIME_NAMED') return 'NAMED';
  if (lifetime === 'LIFETIME_UNSPECIFIED') return name === '' ? 'SESSION' : 'NAMED';
  const reason = `lifetime is ${String(lifetime)}; it must be LIFETIME_SESSION or LIFETIME_NAMED.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'lifetime' });
}

/** A range inside an allocation, in bytes. On the wire a `size` of 0 means the rest of the allocation. */
export interface Range {
  readonly offset: bigint;
  readonly size: bigint;
}

/**
 * @param within the size of the allocation, in bytes.
 * @param unit offset and size must be multiples of it.
 * @throws VkmemError INVALID_RANGE.
 */
export function parseRange(what: string, offset: bigint, size: bigint, within: bigint, unit: bigint): Range {
  const length = size === 0n ? within - offset : size;
  if (offset < 0n || length <= 0n || offset + length > within) {
    throw new VkmemError(
      'INVALID_RANGE',
      `${what}: ${length} bytes at offset ${offset} do not fit in ${within} bytes.`,
    );
  }
  if (offset % unit !== 0n || length % unit !== 0n) {
    throw new VkmemError(
      'INVALID_RANGE',
      `${what}: size ${length} and offset ${offset} must be multiples of ${unit} bytes.`,
    );
  }
  return { offset, size: length };
}

/** UUIDs of the devices that a process can use; none if it does not say. @throws VkmemError INVALID_ARGUMENT. */
export function parseUuids(uuids: readonly Uint8Array[]): readonly Uint8Array[] {
  const field = 'device_uuids';
  if (uuids.length > MAX_DEVICES) {
    const reason = `device_uuids has ${uuids.length} elements; the maximum is ${MAX_DEVICES}.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field });
  }
  const odd = uuids.find(({ length }) => length !== UUID_BYTES);
  if (!odd) return uuids;
  const reason = `device_uuids has an element of ${odd.length} bytes; a UUID has ${UUID_BYTES}.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field });
}

/** @throws VkmemError WRONG_DEVICE if the process says that it can use other devices only. */
export function requireDevice(uuid: Uint8Array, deviceUuids: readonly Uint8Array[]): void {
  if (deviceUuids.length === 0 || deviceUuids.some((each) => Buffer.compare(each, uuid) === 0)) return;
  const seen = deviceUuids.map(uuidText).join(', ');
  const reason = `It is of the device ${uuidText(uuid)}; the process can use ${seen}.`;
  throw new VkmemError('WRONG_DEVICE', reason, { device_uuid: uuidText(uuid) });
}
