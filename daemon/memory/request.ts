/**
 * Requests as the domain wants them: what a message asks for, checked field by field before anything is charged.
 *
 * Both planes carry the same messages, so a fault has the same code on either.
 */

import {
  type AccessName,
  type Decoded,
  type KindName,
  kindFromWire,
  type LifetimeName,
  VkmemError,
} from '@vkmemd/proto';

/** What an AllocateRequest asks for. */
export interface AllocateTerms {
  /** At least 1; not rounded yet. */
  readonly size: bigint;
  readonly kinds: readonly KindName[];
  readonly grantKinds: readonly KindName[];
  readonly lifetime: LifetimeName;
  readonly name: string;
  readonly access: AccessName;
}

const NAME = /^[A-Za-z0-9._-]{1,128}$/;

/**
 * @throws VkmemError INVALID_SIZE, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, INVALID_NAME, INVALID_ARGUMENT.
 */
export function parseAllocate(request: Decoded<'AllocateRequest'>): AllocateTerms {
  const size = request.sizeBytes;
  if (size <= 0n) throw new VkmemError('INVALID_SIZE', `${size} bytes were asked for.`);
  const kinds = parseKinds(request.kinds);
  const grantKinds = request.grantKinds.length > 0 ? parseKinds(request.grantKinds) : [];
  requireKinds(grantKinds, kinds);
  const lifetime = parseLifetime(request.lifetime, request.name);
  if (lifetime === 'NAMED' ? !NAME.test(request.name) : request.name !== '') {
    throw new VkmemError(
      'INVALID_NAME',
      `The name is ${JSON.stringify(request.name)}, the lifetime ${lifetime}.`,
    );
  }
  return { size, kinds, grantKinds, lifetime, name: request.name, access: parseAccess(request.access) };
}

/**
 * The kinds of a request, each once.
 * @throws VkmemError KIND_NOT_REQUESTED for none at all, KIND_UNSUPPORTED for one this daemon does not know.
 */
export function parseKinds(kinds: readonly unknown[]): KindName[] {
  if (kinds.length === 0) throw new VkmemError('KIND_NOT_REQUESTED', 'The request names no kind.');
  const known = kinds.map((kind) => {
    const name = kindFromWire(kind);
    if (!name)
      throw new VkmemError('KIND_UNSUPPORTED', `There is no kind ${String(kind)}.`, { kind: String(kind) });
    return name;
  });
  return [...new Set(known)];
}

/** @throws VkmemError KIND_NOT_REQUESTED where a kind is wanted that the allocation was not made for. */
export function requireKinds(wanted: readonly KindName[], made: readonly KindName[]): void {
  const missing = wanted.find((kind) => !made.includes(kind));
  if (!missing) return;
  throw new VkmemError('KIND_NOT_REQUESTED', `It was allocated for ${made.join(', ')}, not for ${missing}.`, {
    kind: missing,
  });
}

/** @throws VkmemError INVALID_ARGUMENT for an access this daemon does not know. */
export function parseAccess(access: unknown): AccessName {
  if (access === 'ACCESS_READ_ONLY') return 'ro';
  if (access === 'ACCESS_READ_WRITE' || access === 'ACCESS_UNSPECIFIED') return 'rw';
  throw new VkmemError('INVALID_ARGUMENT', `There is no access ${String(access)}.`, { field: 'access' });
}

function parseLifetime(lifetime: unknown, name: string): LifetimeName {
  if (lifetime === 'LIFETIME_SESSION') return 'SESSION';
  if (lifetime === 'LIFETIME_NAMED') return 'NAMED';
  if (lifetime === 'LIFETIME_UNSPECIFIED') return name === '' ? 'SESSION' : 'NAMED';
  throw new VkmemError('INVALID_ARGUMENT', `There is no lifetime ${String(lifetime)}.`, {
    field: 'lifetime',
  });
}

/** A range inside an allocation, in bytes; `size` 0 on the wire means the rest. */
export interface Range {
  readonly offset: bigint;
  readonly size: bigint;
}

/**
 * @param unit offset and size must be multiples of it.
 * @throws VkmemError INVALID_RANGE.
 */
export function parseRange(what: string, offset: bigint, size: bigint, within: bigint, unit: bigint): Range {
  const length = size === 0n ? within - offset : size;
  if (offset < 0n || length <= 0n || offset + length > within) {
    throw new VkmemError('INVALID_RANGE', `${what}: ${length} bytes at ${offset}, of ${within}.`);
  }
  if (offset % unit !== 0n || length % unit !== 0n) {
    throw new VkmemError(
      'INVALID_RANGE',
      `${what}: ${length} bytes at ${offset} are not multiples of ${unit}.`,
    );
  }
  return { offset, size: length };
}
