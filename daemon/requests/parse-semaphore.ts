/** Parses the fields that the requests about semaphores, and Transfer, have in common. */
import { type Decoded, VkmemError } from '@vkmemd/proto';
import type { Semaphore } from '../memory/semaphore/semaphore.js';
import type { Semaphores } from '../memory/semaphore/semaphores.js';
import type { SemaphoreValue } from '../memory/semaphore/waits.js';
import type { Identity } from '../policy/identity.js';
import {
  type DeviceInfo,
  SEMAPHORE_HANDLE,
  type SemaphoreKind,
  type SemaphoreType,
} from '../vulkan/device.js';

const MAX_TIMEOUT_MS = 60_000;
/** The most semaphores that one transfer waits for, and that it signals. */
const MAX_POINTS = 8;
const TYPES: Readonly<Record<string, SemaphoreType>> = {
  SEMAPHORE_TYPE_UNSPECIFIED: 'TIMELINE',
  SEMAPHORE_TYPE_TIMELINE: 'TIMELINE',
  SEMAPHORE_TYPE_BINARY: 'BINARY',
};
const KINDS: Readonly<Record<string, SemaphoreKind>> = {
  SEMAPHORE_KIND_OPAQUE_FD: 'OPAQUE_FD',
  SEMAPHORE_KIND_SYNC_FD: 'SYNC_FD',
};

const invalid = (field: string, reason: string, next?: string): VkmemError =>
  new VkmemError('INVALID_ARGUMENT', reason, { field }, undefined, next);

/** @throws VkmemError INVALID_ARGUMENT for a type that this daemon does not know. */
export function parseSemaphoreType(type: unknown): SemaphoreType {
  const known = TYPES[String(type)];
  if (known) return known;
  throw invalid(
    'type',
    `type is ${String(type)}; it must be SEMAPHORE_TYPE_TIMELINE or SEMAPHORE_TYPE_BINARY.`,
  );
}

/** @throws VkmemError KIND_UNSUPPORTED for a kind that this daemon does not know. */
export function parseSemaphoreKind(kind: unknown): SemaphoreKind {
  const known = KINDS[String(kind)];
  if (known) return known;
  const reason = `${String(kind)} is not a kind of semaphore that this daemon knows.`;
  throw new VkmemError('KIND_UNSUPPORTED', reason, { kind: String(kind) });
}

/**
 * The only kind of a list, undefined for an empty one.
 * @throws VkmemError KIND_UNSUPPORTED, INVALID_ARGUMENT, KINDS_EXCLUSIVE.
 */
export function parseSemaphoreKinds(
  kinds: readonly unknown[],
  type: SemaphoreType,
): SemaphoreKind | undefined {
  const [kind, other] = new Set(kinds.map(parseSemaphoreKind));
  if (other !== undefined) {
    const next = 'Create one semaphore for each kind.';
    const reason = 'One semaphore cannot be OPAQUE_FD and SYNC_FD: a SYNC_FD takes its signal with it.';
    throw new VkmemError('KINDS_EXCLUSIVE', reason, {}, undefined, next);
  }
  if (kind === 'SYNC_FD' && type === 'TIMELINE') {
    throw invalid('kinds', 'A SYNC_FD is of a binary semaphore; the type is TIMELINE.');
  }
  return kind;
}

/** Milliseconds to wait. @throws VkmemError INVALID_ARGUMENT above MAX_TIMEOUT_MS. */
export function parseTimeout(timeoutMs: number | undefined): number {
  if (timeoutMs === undefined) return MAX_TIMEOUT_MS;
  if (timeoutMs <= MAX_TIMEOUT_MS) return timeoutMs;
  throw invalid('timeout_ms', `timeout_ms is ${timeoutMs}; the maximum is ${MAX_TIMEOUT_MS}.`);
}

interface Found {
  readonly semaphores: Pick<Semaphores, 'find'>;
  readonly identity: Identity;
}

type Points = readonly Decoded<'SemaphorePoint'>[];

/**
 * The timelines that a transfer waits for, with their values.
 * @throws VkmemError INVALID_ARGUMENT, NOT_FOUND, NOT_PERMITTED, DEVICE_LOST.
 */
export function parseWaits(points: Points, found: Found): SemaphoreValue[] {
  return parsePoints('wait', points, found, (semaphore) => semaphore.requireTimeline('wait'));
}

/** What a transfer signals, each semaphore once. @throws VkmemError as parseWaits(). */
export function parseSignals(points: Points, found: Found): SemaphoreValue[] {
  const seen = new Set<Semaphore>();
  return parsePoints('signal', points, found, (semaphore, value) => {
    semaphore.requireValue(value, 'signal');
    if (seen.has(semaphore)) throw invalid('signal', `signal has semaphore ${semaphore.id} twice.`);
    seen.add(semaphore);
  });
}

function parsePoints(
  field: string,
  points: Points,
  { semaphores, identity }: Found,
  check: (semaphore: Semaphore, value: bigint) => void,
): SemaphoreValue[] {
  if (points.length > MAX_POINTS) {
    throw invalid(field, `${field} has ${points.length} semaphores; the maximum is ${MAX_POINTS}.`);
  }
  return points.map(({ semaphore: ref, value }) => {
    const semaphore = semaphores.find(ref, identity, 'use');
    check(semaphore, value);
    // Throws where it was lost.
    void semaphore.device;
    return { semaphore, value };
  });
}

/** A handle as the contract describes it. @param fds How many fds it has. */
export const describeSemaphoreGrant = (
  { deviceUuid, driverUuid }: DeviceInfo,
  kind: SemaphoreKind,
  fds: number,
): Decoded<'SemaphoreGrant'> => ({
  kind: `SEMAPHORE_KIND_${kind}`,
  fdCount: fds,
  vulkanHandleType: SEMAPHORE_HANDLE[kind],
  deviceUuid: Buffer.from(deviceUuid),
  driverUuid: Buffer.from(driverUuid),
});
