/**
 * SetQuota: an operator changes the limits and reservations of a user.
 *
 * A change applies to one revision of a quota, so that an operator cannot overwrite a change that they have
 * not seen. It takes effect with the next request, and stays until it is reset, or until a daemon without an
 * fd store ends. Fields that it does not name stay unchanged.
 */
import { type Decoded, VkmemError } from '@vkmemd/proto';
import type { Quota, Quotas } from '../memory/accounting/quotas.js';
import { type Change, merged } from '../memory/accounting/terms.js';
import type { Authority } from '../memory/authority.js';
import type { Persistence } from '../memory/persistence.js';
import { tenantOfUid } from '../policy/tenant.js';
import { type Answer, type Handler, reply } from './handler.js';

interface Collaborators {
  readonly authority: Authority;
  readonly quotas: Quotas;
  readonly persistence: Persistence;
}

/**
 * The answer has the outcome (applied, stale or in conflict) and the resulting quota.
 * @throws VkmemError NOT_PERMITTED unless the caller is an operator; INVALID_ARGUMENT if the change is empty
 *   or contradictory; LEDGER_FULL.
 */
export function setQuota({ authority, quotas, persistence }: Collaborators): Handler<'SetQuota'> {
  return ({ identity }, request) => {
    authority.requireOperator(identity);
    const change = parseChange(request);
    const quota = quotas.ofTenant(tenantOfUid(request.uid));
    if (request.expectedRevision !== quota.revision) return answer('STALE', quota);
    const next = request.reset ? undefined : merged(quota.change, change);
    const reason = quotas.conflict(quota, next);
    if (reason !== undefined) return answer('CONFLICT', quota, reason);
    persistence.journal.quotaChanged(quota.tenant, next);
    quota.set(next);
    return answer('APPLIED', quota);
  };
}

const answer = (outcome: 'APPLIED' | 'STALE' | 'CONFLICT', quota: Quota, reason = ''): Answer<'SetQuota'> =>
  reply({ outcome: `QUOTA_OUTCOME_${outcome}`, quota: quota.describe(), reason });

/** @throws VkmemError INVALID_ARGUMENT. */
function parseChange(request: Decoded<'SetQuotaRequest'>): Change {
  const { heaps, allocations, sessions, tickets, reset } = request;
  const limits = new Map(
    heaps.flatMap(({ heapIndex, limitBytes }) => entryOf(heapIndex, 'limit_bytes', limitBytes)),
  );
  const reserved = new Map(
    heaps.flatMap(({ heapIndex, reservedBytes }) => entryOf(heapIndex, 'reserved_bytes', reservedBytes)),
  );
  const counts = [allocations, sessions, tickets].filter((count) => count !== undefined);
  const named = heaps.length + counts.length;
  if (reset && named > 0) throw invalid('reset', 'A request with reset must not change anything else.');
  if (!reset && named === 0) {
    throw invalid('heaps', 'The request has neither heaps, allocations, sessions, tickets nor reset.');
  }
  const indices = heaps.map(({ heapIndex }) => heapIndex);
  const twice = indices.find((heap, at) => indices.indexOf(heap) !== at);
  if (twice !== undefined) throw invalid('heaps', `heaps has the heap_index ${twice} twice.`);
  const empty = indices.find((heap) => !limits.has(heap) && !reserved.has(heap));
  if (empty !== undefined)
    throw invalid('heaps', `Heap ${empty} has neither limit_bytes nor reserved_bytes.`);
  return { limits, reserved, allocations, sessions, tickets };
}

function entryOf(heap: number, field: string, bytes: bigint | undefined): [number, bigint][] {
  if (bytes === undefined) return [];
  if (bytes < 0n) throw invalid('heaps', `${field} of heap ${heap} is ${bytes}; it must not be negative.`);
  return [[heap, bytes]];
}

function invalid(field: string, reason: string): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', reason, { field });
}
