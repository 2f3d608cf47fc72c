/**
 * What stands beside memory, and outlives this process too: tickets, by the hash of their secrets, and what SetQuota
 * changed. Nothing of it has fds.
 */

import type { Change } from '../memory/accounting/terms.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Domain } from '../memory/domain.js';
import type { Journal } from '../memory/persistence.js';
import type { Ticket } from '../memory/ticket/ticket.js';
import type { Identity } from '../policy/identity.js';
import type { LedgerFile } from './ledger-file.js';
import type { QuotaRecord, TicketRecord } from './records.js';

export class StateJournal implements Journal {
  readonly #ledger: LedgerFile;

  constructor(ledger: LedgerFile) {
    this.#ledger = ledger;
  }

  ticketChanged(ticket: Ticket): void {
    const { id, hash, ownerUid, expiryDate, usesLeft } = ticket;
    const { allocation, ...terms } = ticket.terms;
    // Of what does not outlive this process nobody could claim anything later.
    if (!allocation.kept) return;
    const record: TicketRecord = {
      id,
      hash,
      ownerUid,
      expiryDate,
      usesLeft,
      terms,
      allocation: allocation.id,
    };
    this.#ledger.tickets.put(id, record);
  }

  ticketEnded({ id }: Ticket): void {
    this.#ledger.tickets.remove(id);
  }

  quotaChanged(uid: number, change: Change | undefined): void {
    if (!change) {
      this.#ledger.quotas.remove(BigInt(uid));
      return;
    }
    const { limits, reserved, ...counts } = change;
    this.#ledger.quotas.put(BigInt(uid), { uid, limits: [...limits], reserved: [...reserved], counts });
  }
}

/** Quotas as they were changed, where the policy still lets them be: before anything that they may let users have. */
export function restoreQuotas(domain: Domain, ledger: LedgerFile): void {
  const peers = new Map(ledger.sessions.all.map(({ identity }) => [identity.uid, identity]));
  for (const record of ledger.quotas.all) restoreQuota(domain, ledger, record, peers.get(record.uid));
}

/** Tickets of allocations that are there again. */
export function restoreTickets(
  domain: Domain,
  ledger: LedgerFile,
  allocations: ReadonlyMap<string, Allocation>,
): void {
  for (const { id, allocation: of, hash, ownerUid, expiryDate, usesLeft, terms } of ledger.tickets.all) {
    const allocation = allocations.get(of);
    if (!allocation || expiryDate <= Date.now() || usesLeft <= 0) {
      ledger.tickets.remove(id);
      continue;
    }
    const lease = domain.quotas.byUid(ownerUid).count('tickets');
    const whole = { ...terms, allocation };
    domain.tickets.restore(whole, { id, hash, ownerUid, expiryDate, usesLeft }, () => lease.release());
  }
}

function restoreQuota(
  domain: Domain,
  ledger: LedgerFile,
  { uid, limits, reserved, counts }: QuotaRecord,
  peer: Identity | undefined,
): void {
  const change: Change = { limits: new Map(limits), reserved: new Map(reserved), ...counts };
  // By the rules for the user's processes, where some may be there still.
  const quota = peer ? domain.quotas.of(peer) : domain.quotas.byUid(uid);
  const conflict = domain.quotas.conflict(quota, change);
  if (conflict === undefined) {
    quota.set(change);
    return;
  }
  ledger.quotas.remove(BigInt(uid));
  domain.events.note(`what SetQuota gave user ${uid} is in conflict, and gone: ${conflict}`);
}
