/**
 * Records of version 2, as daemons before tenants wrote them, in today's form. Version 2 named users by uid,
 * and had no version in a record.
 */
import type { AllocationRecord, QuotaRecord, SessionRecord, TicketRecord } from './records.js';

/** What says whose a record is, of each kind of record that does. */
type Unowned<R extends { readonly tenant: string }> = Omit<R, 'tenant'>;

interface Version2 {
  readonly allocations: Omit<Unowned<AllocationRecord>, 'terms'> & {
    readonly terms: AllocationRecord['terms'] & { readonly ownerUid: number };
  };
  readonly sessions: Unowned<SessionRecord>;
  readonly tickets: Unowned<TicketRecord> & { readonly ownerUid: number };
  readonly quotas: Unowned<QuotaRecord> & { readonly uid: number };
}

/** @throws Error for what is no uid. */
function keyOf(uid: number): string {
  if (!Number.isSafeInteger(uid) || uid < 0) throw new Error(`${uid} is no uid`);
  return `uid:${uid}`;
}

/** Each with a version 2 record. @throws Error for what is none. */
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
