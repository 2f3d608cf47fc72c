/**
 * Quotas: the limits and the usage of a user, and changes of the limits, which are checked before they are
 * sent.
 *
 * A change is based on one revision of a quota. A change without a revision reads the quota first, and is
 * retried if the quota changed in between.
 */
import { type Decoded, type Draft, VkmemError } from '@vkmemd/proto';
import type { RetryingChannel } from '../connection/retrying-channel.js';
import { type Bytes, checkRangePart, checkUint32, describe } from './arguments.js';

/**
 * The limits and the usage of a user (vkmem.v1.Quota). A limit is undefined if the user has no limit of its
 * own.
 */
export type Quota = Decoded<'Quota'>;

/** A change of the limits of one heap. Absent fields stay unchanged. */
export interface HeapChange {
  /** The index of the heap. */
  readonly heap: number;
  /** The maximum number of bytes that the user may hold. */
  readonly limit?: Bytes | undefined;
  /** The number of bytes that are reserved for the user. */
  readonly reserved?: Bytes | undefined;
}

/** A change of a quota. Absent fields stay unchanged. */
export interface QuotaChange {
  /** The user. */
  readonly uid: number;
  /** The revision of the quota that the change is based on. Default: the current revision. */
  readonly expectedRevision?: bigint | undefined;
  /** Limits in bytes, by heap. */
  readonly heaps?: readonly HeapChange[] | undefined;
  /** The maximum number of allocations. */
  readonly allocations?: number | undefined;
  /** The maximum number of sessions. */
  readonly sessions?: number | undefined;
  /** The maximum number of tickets. */
  readonly tickets?: number | undefined;
  /** Restores the quota of the policy. No other limit may be set. */
  readonly reset?: boolean | undefined;
}

/** The outcome of a change. */
export interface QuotaResult {
  /**
   * APPLIED: the change is in force. STALE: the quota has another revision. CONFLICT: the limits contradict
   * each other or the reservations of other users. With STALE and CONFLICT nothing was changed.
   */
  readonly outcome: 'APPLIED' | 'STALE' | 'CONFLICT';
  /** The current quota. */
  readonly quota: Quota;
  /** With CONFLICT: the contradiction. */
  readonly reason: string;
}

const OUTCOMES = ['APPLIED', 'STALE', 'CONFLICT'] as const;
/** The maximum number of attempts of a change without a revision. */
const MAX_TRIES = 5;

/**
 * Checks a uid.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export const checkUid = (uid: unknown): number => checkUint32('uid', uid);

/**
 * Changes a quota.
 * @throws VkmemError the daemon's error; INVALID_ARGUMENT.
 */
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
    const reason = `expectedRevision: ${describe(expectedRevision)} is not a bigint.`;
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

/** @throws VkmemError INVALID_ARGUMENT, as the daemon would. */
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
    throw new VkmemError(
      'PROTOCOL_ERROR',
      `The answer has an unknown outcome, or lacks the quota: ${String(outcome)}.`,
    );
  }
  return { outcome: known, quota, reason };
}
