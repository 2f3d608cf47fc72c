/**
 * Quotas on heaps of a chosen size, with a driver that has no budget of its own: the whole heap is usable.
 */

import { Budget, type Payer } from 'vkmemd/dist/memory/accounting/budget.js';
import { type Charge, Ledger } from 'vkmemd/dist/memory/accounting/ledger.js';
import { type Quota, Quotas } from 'vkmemd/dist/memory/accounting/quotas.js';
import { Authority } from 'vkmemd/dist/memory/authority.js';
import { type Identity, makeIdentity } from 'vkmemd/dist/policy/identity.js';
import { Policy, type PolicyTerms, type Rule } from 'vkmemd/dist/policy/policy.js';
import { tenantOfUid } from 'vkmemd/dist/policy/tenant.js';

/** The size of each heap, in bytes. */
export const SIZE = 1000n;
export const OPERATOR_UID = 7;

/** A process of a user, with no group and no unit that the daemon knows. */
export const peer = (uid: number, more: Partial<Identity> = {}): Identity =>
  makeIdentity({ uid, gid: uid, pid: 1, groups: [], ...more });

/** A user without requirements, whose bytes are charged to the ledger. */
export const payer = (ledger: Ledger, uid: number): Payer => {
  const tenant = tenantOfUid(uid);
  const unused = () => ({ own: 0n, all: 0n });
  return { tenant, unused, require() {}, charge: (bytes, heap) => ledger.charge(bytes, heap, tenant) };
};

/** This many bytes of every heap. */
export const bytes = (number: bigint) => ({ every: { bytes: number } });

/** One heap of a quota, as it is shown. */
export const heapOf = (quota: Quota, index = 0) => quota.describe().heaps[index];

/** Resolves when the state that only a query created has been dropped. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A rule that matches users by their uid alone; without uids it matches every user. */
export const rule = (gives: Rule['gives'], ...uids: readonly number[]): Rule => ({
  where: 'test',
  match: uids.length > 0 ? { uids: new Set(uids) } : {},
  gives,
});

export const LET_IN = rule({ connect: true });

/** A policy of a daemon that runs as OPERATOR_UID. */
export const policyOf = (rules: readonly Rule[], more: Partial<PolicyTerms> = {}): Policy =>
  new Policy({ rules, ...more }, { uid: OPERATOR_UID, gid: OPERATOR_UID });

/** Everything that a quota needs, without a device. */
export class Host {
  readonly ledger: Ledger;
  readonly authority: Authority;
  readonly quotas: Quotas;
  readonly budget: Budget;
  readonly faults: string[] = [];

  constructor(policy: Policy, heaps = 1, ledger = new Ledger(heaps)) {
    this.ledger = ledger;
    this.authority = new Authority(policy);
    const info = { heaps: Array.from({ length: heaps }, () => ({ size: SIZE })) };
    const events = { fault: (what: string) => this.faults.push(what) };
    this.quotas = new Quotas(info.heaps, this.ledger, this.authority, events);
    const memoryBudget = async () =>
      info.heaps.map((_, heap) => ({ budget: SIZE, usage: this.ledger.heap(heap).live }));
    const thresholds = { elevated: 80, critical: 95 };
    this.budget = new Budget({ info, memoryBudget }, this.ledger, thresholds, events, this.quotas);
  }

  /** Admits bytes as a request for memory does. */
  admit(identity: Identity, bytes: bigint, heap = 0): Promise<Charge> {
    return this.budget.admit(bytes, heap, this.quotas.payer(identity));
  }
}
