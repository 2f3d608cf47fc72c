/**
 * Quotas: the limits and the usage of a user, and changes of the limits, checked before anything is sent.
 *
 * A change is meant for one revision of a quota. A change without a revision reads the quota first, and again
 * where it changed in between.
 */
import { type Decoded, type Draft, VkmemError } from '@vkmemd/proto';
import type { RetryingChannel } from '../connection/retrying-channel.js';
import { type Bytes, checkRangePart, checkUint32 } from './arguments.js';

/** The limits and the usage of a user. A limit is undefined where the user has none of its own. */
export type Quota = Decoded<'Quota'>;

/** Of one heap, in bytes; what is not set stays as it is. */
export interface HeapChange {
  readonly heap: number;
  /** The most bytes that the user may hold. */
  readonly limit?: Bytes | undefined;
  /** Bytes that are reserved for the user. */
  readonly reserved?: Bytes | undefined;
}

/** What is not set stays as it is. */
export interface QuotaChange {
  readonly uid: number;
  /** Of the quota that it is meant for; without it, of whatever it is. */
  readonly expectedRevision?: bigint | undefined;
  readonly heaps?: readonly HeapChange[] | undefined;
  /** The most that the user may have of each. */
  readonly allocations?: number | undefined;
  readonly sessions?: number | undefined;
  readonly tickets?: number | undefined;
  /** Goes back to what the policy says; nothing else may be set then. */
  readonly reset?: boolean | undefined;
}

export interface QuotaResult {
  /**
   * STALE: the quota is of another revision; CONFLICT: it contradicts itself or others' reservations. Nothing
   * was done.
   */
  readonly outcome: 'APPLIED' | 'STALE' | 'CONFLICT';
  /** As it is now. */
  readonly quota: Quota;
  /** Of CONFLICT: what contradicts what. */
  readonly reason: string;
}

const OUTCOMES = ['APPLIED', 'STALE', 'CONFLICT'] as const;
/** How often a change for any revision is tried. */
const MAX_TRIES = 5;

/** @throws VkmemError INVALID_ARGUMENT. */
export const checkUid = (uid: unknown): number => checkUint32('uid', uid);

/** @throws VkmemError whatever the daemon refuses with; INVALID_ARGUMENT. */
export async function setQuotaOn(
  channel: RetryingChannel,
  change: QuotaChange,
  timeoutMs: number,
): Promise<QuotaResult> {
  const request = requestOf(change);
  const set = async (expectedRevision: bigint) =>
    resultOf(await channel.call('SetQuota', { ...request, expectedRevision }, timeoutMs));
  if (change.expectedRevision !== undefined) return set(change.expectedRevision);
  const { quota } = await channel.call('GetQuota', { uid: change.uid }, timeoutMs);
  let result = await set(quota?.revision ?? 0n);
  for (let tries = 1; result.outcome === 'STALE' && tries < MAX_TRIES; tries += 1) {
    result = await set(result.quota.revision);
  }
  return result;
}

function requestOf({ uid, expectedRevision, heaps, reset, ...rest }: QuotaChange): Draft<'SetQuotaRequest'> {
  if (expectedRevision !== undefined && typeof expectedRevision !== 'bigint') {
    const reason = `expectedRevision: ${String(expectedRevision)} is no bigint.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'expectedRevision' });
  }
  return {
    uid: checkUid(uid),
    heaps: (heaps ?? []).map(heapOf),
    ...counted('allocations', rest.allocations),
    ...counted('sessions', rest.sessions),
    ...counted('tickets', rest.tickets),
    reset: reset === true,
  };
}

function heapOf({ heap, limit, reserved }: HeapChange): Draft<'HeapLimit'> {
  return {
    heapIndex: checkUint32('heap', heap),
    ...(limit !== undefined && { limitBytes: bytesOf('limit', limit) }),
    ...(reserved !== undefined && { reservedBytes: bytesOf('reserved', reserved) }),
  };
}

/** @throws VkmemError INVALID_ARGUMENT, the code that the daemon has for it. */
function bytesOf(field: string, bytes: unknown): bigint {
  try {
    return checkRangePart(field, bytes, 0n);
  } catch (failure) {
    if (!(failure instanceof VkmemError)) throw failure;
    throw new VkmemError('INVALID_ARGUMENT', failure.reason, { field }, failure);
  }
}

const counted = (what: 'allocations' | 'sessions' | 'tickets', count: unknown) =>
  count === undefined ? {} : { [what]: checkUint32(what, count) };

function resultOf({ outcome, quota, reason }: Decoded<'SetQuotaResponse'>): QuotaResult {
  const known = OUTCOMES.find((name) => `QUOTA_OUTCOME_${name}` === outcome);
  if (!known || !quota) {
    throw new VkmemError('PROTOCOL_ERROR', `The answer has no outcome that is known: ${String(outcome)}.`);
  }
  return { outcome: known, quota, reason };
}
