/**
 * Converts records of version 2 to the current version. Version 2 identified users by uid instead of tenants
 * by key, and its records had no version.
 */
import type { AllocationRecord, QuotaRecord, SessionRecord, TicketRecord } from './records.js';

/** A record without the tenant that owns it. */
type Unowned<R extends { readonly tenant: string }> = Omit<R, 'tenant'>;

interface Version2 {
  readonly allocations: Omit<Unowned<AllocationRecord>, 'terms'> & {
    readonly terms: AllocationRecord['terms'] & { readonly ownerUid: number };
  };
  readonly sessions: Unowned<SessionRecord>;
  readonly tickets: Unowned<TicketRecord> & { readonly ownerUid: number };
  readonly quotas: Unowned<QuotaRecord> & { readonly uid: number };
}

/** The tenant's key. @throws Error for an invalid uid. */
function keyOf(uid: number): string {
  if (!Number.isSafeInteger(uid) || uid < 0) throw new Error(`${uid} is not a uid`);
  return `uid:${uid}`;
}

/** The converters, each for a record of version 2. @throws Error for an invalid record. */
export const fromVersion2 = {
  allocations({ terms: { ownerUid, ...terms }, ...record }: Version2['allocations']): AllocationRecord {
    return { ...record, tenant: keyOf(ownerUid), terms };
  },
  sessions(record: Version2['sessions']): SessionRecord {
    return { ...record, tenant: keyOf(record.identity.uid) };
  },
  tickets({ ownerUid, ...record }: Version2['tickets']): TicketRecord {
    return { ...record, tenant: keyOf(ownerUid) };
  },
  quotas({ uid, ...record }: Version2['quotas']): QuotaRecord {
    return { ...record, tenant: keyOf(uid) };
  },
};
