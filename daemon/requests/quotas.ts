/**
 * Quotas on request: what users may have and have, and what an operator changes of it.
 *
 * A change is meant for one revision of a quota, so that nobody changes what they have not seen. It holds from the next
 * request on, until the daemon ends or it is taken back; what it does not name stays as it is.
 */
import { type Decoded, VkmemError } from '@vkmemd/proto';
import type { Quota } from '../memory/accounting/quota.js';
import { type Change, merged } from '../memory/accounting/terms.js';
import type { Domain } from '../memory/domain.js';
import type { Caller } from '../memory/session/caller.js';

/** @throws VkmemError NOT_PERMITTED for another user's, where the caller may not see others. */
export function getQuota(
  domain: Domain,
  { identity }: Caller,
  { uid }: Decoded<'GetQuotaRequest'>,
): Decoded<'GetQuotaResponse'> {
  if (uid === undefined || uid === identity.uid) return { quota: domain.quotas.of(identity).describe() };
  requireSight(domain, identity);
  return { quota: domain.quotas.byUid(uid).describe() };
}

/** By uid. @throws VkmemError NOT_PERMITTED where the caller may not see others. */
export function listQuotas(domain: Domain, { identity }: Caller): Decoded<'ListQuotasResponse'> {
  requireSight(domain, identity);
  return { quotas: domain.quotas.all.map((quota) => quota.describe()) };
}

/**
 * Says what came of it: applied, stale or in conflict, with the quota as it then is.
 * @throws VkmemError NOT_PERMITTED unless the caller is an operator; INVALID_ARGUMENT where the change means nothing.
 */
export function setQuota(
  domain: Domain,
  { identity }: Caller,
  request: Decoded<'SetQuotaRequest'>,
): Decoded<'SetQuotaResponse'> {
  domain.authority.requireOperator(identity);
  const change = parseChange(request);
  const quota = domain.quotas.byUid(request.uid);
  if (request.expectedRevision !== quota.revision) return answer('STALE', quota);
  const next = request.reset ? undefined : merged(quota.change, change);
  const reason = domain.quotas.conflict(quota, next);
  if (reason !== undefined) return answer('CONFLICT', quota, reason);
  quota.set(next);
  domain.persistence.standing.quotaChanged(quota.uid, next);
  return answer('APPLIED', quota);
}

function answer(
  outcome: 'APPLIED' | 'STALE' | 'CONFLICT',
  quota: Quota,
  reason = '',
): Decoded<'SetQuotaResponse'> {
  return { outcome: `QUOTA_OUTCOME_${outcome}`, quota: quota.describe(), reason };
}

function requireSight(domain: Domain, identity: Caller['identity']): void {
  const { operator, seeOthers } = domain.authority.rightsOf(identity);
  if (operator || seeOthers) return;
  throw new VkmemError('NOT_PERMITTED', `User ${identity.uid} may see no quota but its own.`);
}

/** @throws VkmemError INVALID_ARGUMENT. */
function parseChange(request: Decoded<'SetQuotaRequest'>): Change {
  const { heaps, allocations, sessions, tickets, reset } = request;
  const limits = new Map(heaps.flatMap(({ heapIndex, limitBytes }) => entryOf(heapIndex, limitBytes)));
  const reserved = new Map(
    heaps.flatMap(({ heapIndex, reservedBytes }) => entryOf(heapIndex, reservedBytes)),
  );
  const counts = [allocations, sessions, tickets].filter((count) => count !== undefined);
  const named = heaps.length + counts.length;
  if (reset && named > 0) throw invalid('reset', 'A quota that is reset is not changed otherwise.');
  if (!reset && named === 0) throw invalid('heaps', 'Nothing is to be changed.');
  const indices = heaps.map(({ heapIndex }) => heapIndex);
  const twice = indices.find((heap, at) => indices.indexOf(heap) !== at);
  if (twice !== undefined) throw invalid('heaps', `Heap ${twice} is named twice.`);
  const empty = indices.find((heap) => !limits.has(heap) && !reserved.has(heap));
  if (empty !== undefined) throw invalid('heaps', `Nothing is said of heap ${empty}.`);
  return { limits, reserved, allocations, sessions, tickets };
}

function entryOf(heap: number, bytes: bigint | undefined): [number, bigint][] {
  if (bytes === undefined) return [];
  if (bytes < 0n) throw invalid('heaps', `${bytes} bytes of heap ${heap} are less than nothing.`);
  return [[heap, bytes]];
}

function invalid(field: string, reason: string): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', reason, { field });
}
