/**
 * Persists and restores state without fds: tickets, with the hashes of their secrets, and the changes by
 * SetQuota.
 */

import type { Quotas } from '../memory/accounting/quotas.js';
import type { Change } from '../memory/accounting/terms.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Journal } from '../memory/persistence.js';
import type { Reporter } from '../memory/reporter.js';
import { Semaphore } from '../memory/semaphore/semaphore.js';
import type { Semaphores } from '../memory/semaphore/semaphores.js';
import type { Ticket, Tickets } from '../memory/ticket/tickets.js';
import type { Identity } from '../policy/identity.js';
import { type Tenant, tenantOfKey } from '../policy/tenant.js';
import type { AsideRecords } from './aside-records.js';
import type { LedgerFile } from './ledger-file.js';
import { KEPT_BY } from './ledger-writes.js';
import { identityOf, type QuotaRecord, type SessionRecord, type TicketRecord } from './records.js';

export class StateJournal implements Journal {
  readonly #ledger: LedgerFile;

  constructor(ledger: LedgerFile) {
    this.#ledger = ledger;
  }

  ticketChanged(ticket: Ticket): void {
    this.#ledger.require(() => this.ticketReturned(ticket));
  }

  ticketReturned(ticket: Ticket): void {
    const { id, hash, tenant, expiryDate, usesLeft } = ticket;
    const { subject, ...terms } = ticket.terms;
    // A ticket for what does not outlive this process would be useless.
    if (!subject.persisted) return;
    const record: TicketRecord = {
      id,
      hash,
      tenant: tenant.key,
      expiryDate,
      usesLeft,
      terms,
      allocation: subject.id,
      ...(subject instanceof Semaphore && { semaphore: true as const }),
    };
    this.#ledger.tickets.put(id, record);
  }

  ticketRevoked(ticket: Ticket): void {
    this.#ledger.require(() => this.ticketEnded(ticket), KEPT_BY.ENDS);
  }

  ticketEnded({ id }: Ticket): void {
    this.#ledger.tickets.remove(id);
  }

  together(work: () => void): void {
    this.#ledger.eventually(work);
  }

  quotaChanged({ key }: Tenant, change: Change | undefined): void {
    this.#ledger.require(() => {
      if (!change) {
        this.#ledger.quotas.remove(key);
        return;
      }
      const { limits, reserved, ...counts } = change;
      this.#ledger.quotas.put(key, { tenant: key, limits: [...limits], reserved: [...reserved], counts });
    });
  }
}

/** The parts of the core that quotas are restored into. */
export interface QuotaTargets {
  readonly quotas: Quotas;
  readonly reporter: Reporter;
}

/** The parts of the core that tickets are restored into. */
export interface TicketTargets {
  readonly quotas: Quotas;
  readonly tickets: Tickets;
  readonly semaphores: Pick<Semaphores, 'byId'>;
}

/**
 * Restores changed quotas, as far as the policy allows. Called before allocations are restored and charged.
 */
export async function restoreQuotas(
  targets: QuotaTargets,
  ledger: LedgerFile,
  aside: AsideRecords,
): Promise<void> {
  const peers = new Map<string, SessionRecord>();
  // Those that cannot be read are reported when the sessions are restored.
  await ledger.sessions.eachInSlices(
    () => {},
    (record) => peers.set(record.tenant, record),
  );
  const restore = (record: QuotaRecord): void => {
    const peer = peers.get(record.tenant);
    aside.guard({ table: 'quotas', id: record.tenant, value: record }, () =>
      restoreQuota(targets, ledger, record, peer && identityOf(peer)),
    );
  };
  await ledger.quotas.eachInSlices((one) => aside.add(one), restore);
}

/** Restores the tickets of restored allocations and semaphores. */
export async function restoreTickets(
  { quotas, tickets, semaphores }: TicketTargets,
  ledger: LedgerFile,
  allocations: ReadonlyMap<string, Allocation>,
  aside: AsideRecords,
): Promise<void> {
  const restore = ({ allocation: of, semaphore, terms, ...record }: TicketRecord): void => {
    const subject = semaphore ? semaphores.byId(of) : allocations.get(of);
    if (aside.has(semaphore ? 'semaphores' : 'allocations', of)) return;
    if (!subject || record.expiryDate <= Date.now() || record.usesLeft <= 0) {
      ledger.tickets.remove(record.id);
      return;
    }
    const tenant = tenantOfKey(record.tenant);
    const counted = quotas.ofTenant(tenant).count('tickets');
    tickets.restore({ ...terms, subject }, { ...record, tenant }, counted);
  };
  await ledger.tickets.eachInSlices((one) => aside.add(one), restore);
}

function restoreQuota(
  { quotas, reporter }: QuotaTargets,
  ledger: LedgerFile,
  { tenant: key, limits, reserved, counts }: QuotaRecord,
  peer: Identity | undefined,
): void {
  const change: Change = { limits: new Map(limits), reserved: new Map(reserved), ...counts };
  const tenant = tenantOfKey(key);
  // If the tenant had a session, its quota follows the rules for that peer.
  const quota = peer ? quotas.of(peer) : quotas.ofTenant(tenant);
  const conflict = quotas.conflict(quota, change);
  if (conflict === undefined) {
    quota.set(change);
    return;
  }
  ledger.quotas.remove(key);
  reporter.note(
    `the quota that SetQuota set for user ${tenant.name} was dropped, because it conflicts: ${conflict}`,
  );
}
