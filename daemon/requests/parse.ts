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
  SHARING_NAMES,
  type SharingName,
  VkmemError,
} from '@vkmemd/proto';
import type { ForeignSource, ImportTerms, MemoryRequest } from '../vulkan/device.js';
import { parseHints } from './parse-hints.js';
import { parseResource } from './parse-resource.js';

/** What every request for an allocation says of it, however its memory comes to be. */
export interface OwnerTerms {
  readonly kinds: readonly KindName[];
  readonly grantKinds: readonly KindName[];
  readonly lifetime: LifetimeName;
  readonly name: string;
  readonly access: AccessName;
  readonly sharing: SharingName;
  readonly publishable: boolean;
  /** '' for none. */
  readonly requestId: string;
}

/** What an AllocateRequest asks for: at least 1 byte, not rounded yet; 0 with an image for what it needs. */
export type AllocateTerms = OwnerTerms & MemoryRequest;

/** What an ImportRequest says. */
export type ImportedTerms = OwnerTerms & ImportTerms;

const MAX_WAIT_MS = 3_600_000;
const MAX_REQUEST_ID_BYTES = 64;
const NAME = /^[A-Za-z0-9._-]{1,128}$/;

/**
 * @throws VkmemError INVALID_SIZE, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, INVALID_NAME, INVALID_ARGUMENT,
 *   HUGE_PAGES_UNAVAILABLE.
 */
export function parseAllocate(request: Decoded<'AllocateRequest'>): AllocateTerms {
  const size = request.sizeBytes;
  const resource = parseResource(request.buffer, request.image);
  const needed = size === 0n && resource?.what === 'image';
  if (size <= 0n && !needed) throw new VkmemError('INVALID_SIZE', `${size} bytes were asked for.`);
  const terms = parseOwner(request, parseKinds(request.kinds));
  const sharing = parseSharing(request.sharing);
  if (sharing !== 'SHARED' && terms.lifetime !== 'NAMED') {
    const reason = `The sharing is ${sharing}, the lifetime ${terms.lifetime}; only NAMED ones have a sharing.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'sharing' });
  }
  return {
    ...terms,
    size,
    resource,
    required: request.requiredPropertyFlags,
    preferred: request.preferredPropertyFlags,
    forbidden: request.forbiddenPropertyFlags,
    memoryTypeIndex: request.memoryTypeIndex,
    access: parseAccess(request.access),
    sharing,
    publishable: request.publishable,
    hints: parseHints(request.hints),
    requestId: parseRequestId(request.requestId),
  };
}

const SOURCES: Partial<Record<KindName, ForeignSource>> = {
  OPAQUE_FD: 'OPAQUE_FD',
  DMA_BUF: 'DMA_BUF',
  MAPPABLE: 'MEMFD',
};

/**
 * @throws VkmemError INVALID_SIZE, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, INVALID_NAME, INVALID_ARGUMENT.
 */
export function parseImport(request: Decoded<'ImportRequest'>): ImportedTerms {
  if (request.sizeBytes < 0n) throw new VkmemError('INVALID_SIZE', `The request says ${request.sizeBytes}.`);
  const kind = kindFromWire(request.source);
  const source = kind && SOURCES[kind];
  if (!source) {
    throw new VkmemError('INVALID_ARGUMENT', `Nothing is imported as ${String(request.source)}.`, {
      field: 'source',
    });
  }
  return {
    ...parseOwner(request, request.kinds.length > 0 ? parseKinds(request.kinds) : []),
    source,
    size: request.sizeBytes,
    resource: parseResource(request.buffer, request.image),
    memoryTypeIndex: request.memoryTypeIndex,
    deviceUuid: request.deviceUuid,
    driverUuid: request.driverUuid,
  };
}

/** What both requests say of the owner and of the grants, in the same fields. */
function parseOwner(
  request: Pick<Decoded<'AllocateRequest'>, 'grantKinds' | 'lifetime' | 'name'>,
  kinds: readonly KindName[],
): OwnerTerms {
  const grantKinds = request.grantKinds.length > 0 ? parseKinds(request.grantKinds) : [];
  requireKinds(grantKinds, kinds);
  const lifetime = parseLifetime(request.lifetime, request.name);
  if (lifetime === 'NAMED' ? !NAME.test(request.name) : request.name !== '') {
    throw new VkmemError(
      'INVALID_NAME',
      `The name is ${JSON.stringify(request.name)}, the lifetime ${lifetime}.`,
    );
  }
  return {
    kinds,
    grantKinds,
    lifetime,
    name: request.name,
    access: 'rw',
    sharing: 'SHARED',
    publishable: false,
    requestId: '',
  };
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

/** How long a claim may wait, in milliseconds. @throws VkmemError INVALID_ARGUMENT above an hour. */
export function parseWait(waitMs: number): number {
  if (waitMs <= MAX_WAIT_MS) return waitMs;
  const reason = `A claim waits ${MAX_WAIT_MS} ms at most; ${waitMs} were asked for.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'wait_ms' });
}

function parseRequestId(id: string): string {
  if (Buffer.byteLength(id) <= MAX_REQUEST_ID_BYTES) return id;
  const reason = `The request_id has more than ${MAX_REQUEST_ID_BYTES} bytes.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'request_id' });
}

/** @throws VkmemError INVALID_ARGUMENT for one that this daemon does not know. */
function parseSharing(sharing: unknown): SharingName {
  const known = SHARING_NAMES.find((name) => sharing === `SHARING_${name}`);
  if (known) return known;
  if (sharing === 'SHARING_UNSPECIFIED') return 'SHARED';
  throw new VkmemError('INVALID_ARGUMENT', `There is no sharing ${String(sharing)}.`, { field: 'sharing' });
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
