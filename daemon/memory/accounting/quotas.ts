/**
 * Quotas: the limits and the usage of each tenant: bytes on each heap, allocations, sessions and tickets.
 *
 * The limits are those of the policy, overridden by SetQuota. Bytes and allocations are counted by the
 * tenant's account in the ledger only: live, draining and pending. Sessions and tickets are counted here.
 * Lowering a limit revokes nothing: usage above the limit is the overage, and further requests are refused.
 *
 * Rules may match a group or a unit, so the policy is evaluated for a process, while the usage of all
 * processes of a tenant is counted together. A request is checked against what the policy gives to its own
 * process. The terms of a tenant are those of the process of the tenant that took something last; before any
 * did, they are its default rights (default-rights.ts).
 *
 * Reading a quota changes nothing. An entry is made when a tenant takes something or an operator sets
 * something, and is removed when the tenant has nothing left. Its account must be zero then; otherwise a
 * defect is reported.
 *
 * The revision changes with SetQuota, and with a policy that gives the tenant different terms. The size of a
 * share, and what rules by group or unit give to a particular process, change without a new revision.
 *
 * If the policy says `share`, a tenant may have as much of a heap as if all tenants that have sessions or
 * bytes, and one more, had equal parts. Operators do not count.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Decoded, humanBytes, VkmemError } from '@vkmemd/proto';
import type { Sharer } from '../../limits/shares.js';
import { slices } from '../../limits/slices.js';
import type { Identity } from '../../policy/identity.js';
import type { Rights } from '../../policy/rights.js';
import { byTenant, describeTenant, shownUid, type Tenant, type TenantPosition } from '../../policy/tenant.js';
import type { Authority } from '../authority.js';
import { SortedList } from '../sorted-list.js';
import type { BudgetEvents, Guarantees, Payer } from './budget.js';
import { defaultRights, type NamedTenant, namedTenants } from './default-rights.js';
import { type Ledger, usedBytes } from './ledger.js';
import { type Demand, demandOn, Reservations } from './reservations.js';
import { type Change, changed, type Terms, termsOf } from './terms.js';

/** Whose turn it is while the entries follow a policy. */
const POLICY: Sharer = { key: 'policy', name: 'policy' };

/** The resources that are counted here. */
export type Counted = 'sessions' | 'tickets';

/** What the policy gives. */
interface Given {
  readonly terms: Terms;
  /** Operators do not count as sharers. */
  readonly operator: boolean;
}

/** The state of one tenant, from when it first has something until nothing is left. */
class Entry {
  readonly tenant: Tenant;
  readonly counts = { sessions: 0, tickets: 0 };
  /** The process of the tenant that took something last. */
  peer: Identity | undefined;
  given: Given;
  change: Change | undefined;
  revision: bigint;
  /** The number of the policy that `given` is of. */
  policy: number;
  dropped = false;

  constructor(tenant: Tenant, given: Given, revision: bigint, policy: number) {
    this.tenant = tenant;
    this.given = given;
    this.revision = revision;
    this.policy = policy;
  }

  get terms(): Terms {
    return changed(this.given.terms, this.change);
  }
}

/** The functions of Quotas that a Quota uses. */
interface Table {
  readonly ledger: Ledger;
  /** Sizes of the heaps, in bytes. */
  readonly sizes: readonly bigint[];
  entryOf(tenant: Tenant): Entry | undefined;
  /** Makes the entry if there is none. If there is one, its terms become those of this process. */
  enter(tenant: Tenant, peer: Identity | undefined): Entry;
  /** The usage or the terms of the entry have changed. */
  moved(entry: Entry): void;
  givenTo(tenant: Tenant, peer: Identity | undefined): Given;
  revisionOf(tenant: Tenant): bigint;
  /** How many tenants share the heaps, including this one. */
  sharersWith(tenant: Tenant): number;
  /** Bytes of a heap that are, or would be, reserved for the tenant with these terms. */
  reservedFor(tenant: Tenant, terms: Terms, change: Change | undefined, heap: number): bigint;
}

const above = (used: bigint, limit: bigint | undefined): bigint =>
  limit !== undefined && used > limit ? used - limit : 0n;

/**
 * The quota of one tenant: with the terms of one of its processes, or with the tenant's own. Look it up again
 * after an await: taking from a quota whose entry was removed meanwhile is a defect, and throws.
 */
export class Quota {
  readonly tenant: Tenant;
  readonly #table: Table;
  readonly #peer: Identity | undefined;
  /** Undefined if the tenant has nothing. */
  #found: Entry | undefined;
  /** What the policy gives to the process; for a tenant without an entry, its default rights. */
  #given: Given | undefined;

  constructor(tenant: Tenant, table: Table, peer?: Identity) {
    this.tenant = tenant;
    this.#table = table;
    this.#peer = peer;
    this.#found = table.entryOf(tenant);
  }

  get #entry(): Entry | undefined {
    this.#found ??= this.#table.entryOf(this.tenant);
    return this.#found;
  }

  get revision(): bigint {
    return this.#entry?.revision ?? this.#table.revisionOf(this.tenant);
  }

  /** What the policy gives. */
  get ofPolicy(): Terms {
    if (!this.#peer && this.#entry) return this.#entry.given.terms;
    this.#given ??= this.#table.givenTo(this.tenant, this.#peer);
    return this.#given.terms;
  }

  /** What SetQuota changed; undefined if it changed nothing. */
  get change(): Change | undefined {
    return this.#entry?.change;
  }

  /** The limits and reservations in force. */
  get terms(): Terms {
    return changed(this.ofPolicy, this.change);
  }

  /** Whether the tenant has sessions or allocations, and so counts as a sharer. */
  get active(): boolean {
    return this.used('sessions') + this.used('allocations') > 0;
  }

  /** Whether the tenant has nothing, and SetQuota changed nothing. */
  get idle(): boolean {
    return !this.active && this.used('tickets') === 0 && !this.change;
  }

  /**
   * The limit on a heap, in bytes; undefined if only the heap's size limits them. A share is never less than
   * the reservation.
   */
  limitOn(heap: number): bigint | undefined {
    const limit = this.terms.limits[heap];
    if (limit !== 'share') return limit === 'unlimited' ? undefined : limit;
    const size = this.#table.sizes[heap] ?? 0n;
    const share = size / BigInt(this.#table.sharersWith(this.tenant) + 1);
    const reserved = this.reservedOn(heap);
    return share < reserved ? reserved : share;
  }

  /**
   * Bytes of a heap that are reserved for the tenant; without an entry, those that its first charge would
   * reserve.
   */
  reservedOn(heap: number): bigint {
    return this.#table.reservedFor(this.tenant, this.terms, this.change, heap);
  }

  /** Bytes on a heap: live, draining and pending. */
  usedOn(heap: number): bigint {
    return usedBytes(this.#table.ledger.tenant(this.tenant, heap));
  }

  /** The number that the tenant has; allocations include draining ones and pending requests. */
  used(what: Counted | 'allocations'): number {
    if (what === 'allocations') return this.#table.ledger.chargesOf(this.tenant);
    return this.#entry?.counts[what] ?? 0;
  }

  /**
   * @throws VkmemError QUOTA_EXCEEDED if the tenant may not have one more allocation of this size on that
   *   heap.
   */
  require(bytes: bigint, heap: number): void {
    this.#requireOneMore('allocations');
    const [used, limit] = [this.usedOn(heap), this.limitOn(heap)];
    if (limit === undefined || used + bytes <= limit) return;
    const { draining } = this.#table.ledger.tenant(this.tenant, heap);
    const held = `${humanBytes(used)} of ${humanBytes(limit)} on heap ${heap}`;
    const reason = `${humanBytes(bytes)} were requested; tenant ${this.tenant.name} uses ${held}`;
    const metadata = {
      heap: String(heap),
      requested_bytes: String(bytes),
      limit_bytes: String(limit),
      used_bytes: String(used),
      draining_bytes: String(draining),
    };
    if (draining === 0n) throw new VkmemError('QUOTA_EXCEEDED', `${reason}.`, metadata);
    throw new VkmemError(
      'QUOTA_EXCEEDED',
      `${reason}, of it ${humanBytes(draining)} draining: freed, but still held by a process.`,
      metadata,
      undefined,
      'Close every fd and mapping of the freed memory, free more, or ask the operator for a larger quota.',
    );
  }

  /**
   * Counts one more until the result is disposed. Disposing it twice is a defect, and throws.
   * @throws VkmemError TOO_MANY_SESSIONS, or QUOTA_EXCEEDED for tickets, if the tenant has reached its limit.
   */
  take(what: Counted): Disposable {
    this.#requireOneMore(what);
    return this.count(what);
  }

  /** As take(), for one that survived a restart of the daemon: it counts even above the limit. */
  count(what: Counted): Disposable {
    const entry = this.#enter();
    entry.counts[what] += 1;
    this.#table.moved(entry);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held)
          throw new Error(`quota of tenant ${this.tenant.name}: one of its ${what} was released twice`);
        held = false;
        entry.counts[what] -= 1;
        this.#table.moved(entry);
      },
    };
  }

  /** Sets the operator's change; undefined resets the quota to the policy. */
  set(change: Change | undefined): void {
    const entry = this.#enter();
    entry.change = change;
    entry.revision += 1n;
    this.#table.moved(entry);
  }

  /** The quota as the contract describes it. */
  describe(): Decoded<'Quota'> {
    const { sizes } = this.#table;
    return {
      uid: shownUid(this.tenant),
      revision: this.revision,
      heaps: sizes.map((_, heap) => this.#describeHeap(heap)),
      allocations: this.#describeCount('allocations'),
      sessions: this.#describeCount('sessions'),
      tickets: this.#describeCount('tickets'),
      overridden: this.change !== undefined,
      tenant: describeTenant(this.tenant),
    };
  }

  #enter(): Entry {
    if (this.#entry?.dropped)
      throw new Error(`the quota of tenant ${this.tenant.name} was used after it had been removed`);
    this.#found = this.#table.enter(this.tenant, this.#peer);
    return this.#found;
  }

  #describeHeap(heapIndex: number): Decoded<'HeapQuota'> {
    const [usedBytes, limitBytes] = [this.usedOn(heapIndex), this.limitOn(heapIndex)];
    return {
      heapIndex,
      ...(limitBytes !== undefined && { limitBytes }),
      usedBytes,
      overageBytes: above(usedBytes, limitBytes),
      reservedBytes: this.reservedOn(heapIndex),
    };
  }

  #describeCount(what: Counted | 'allocations'): Decoded<'CountQuota'> {
    const [used, limit] = [this.used(what), this.terms[what]];
    const overage = limit === undefined ? 0 : Math.max(0, used - limit);
    return { ...(limit !== undefined && { limit }), used, overage };
  }

  #requireOneMore(what: Counted | 'allocations'): void {
    const [used, limit] = [this.used(what), this.terms[what]];
    if (limit === undefined || used < limit) return;
    const code = what === 'sessions' ? 'TOO_MANY_SESSIONS' : 'QUOTA_EXCEEDED';
    const reason = `Tenant ${this.tenant.name} has ${used} of at most ${limit} ${what}.`;
    throw new VkmemError(code, reason, { scope: 'user', what, limit: String(limit), used: String(used) });
  }
}

export class Quotas implements Guarantees {
  readonly #sizes: readonly bigint[];
  readonly #ledger: Ledger;
  readonly #authority: Authority;
  readonly #events: BudgetEvents;
  /** How many policies were in force before this one. */
  #policy = 0;
  /** By the tenant's key, as all maps below. */
  readonly #entries = new Map<string, Entry>();
  readonly #sharers = new Set<string>();
  readonly #reservations: Reservations;
  readonly #table: Table;
  readonly #terms = new WeakMap<Rights, Terms>();
  #named: ReadonlyMap<string, NamedTenant>;
  /** The tenants of #entries and #named. */
  readonly #tenants = new Map<string, Tenant>();
  readonly #listed = new SortedList<TenantPosition, Tenant>(byTenant);
  /** The revision of new quotas. It only increases, so no revision is ever reused for other terms. */
  #revision = 1n;
  /** The revisions of tenants whose quota was changed and whose entry was removed. */
  readonly #past = new Map<string, bigint>();

  constructor(
    heaps: readonly { readonly size: bigint }[],
    ledger: Ledger,
    authority: Authority,
    events: BudgetEvents,
  ) {
    this.#sizes = heaps.map(({ size }) => size);
    this.#ledger = ledger;
    this.#authority = authority;
    this.#events = events;
    this.#reservations = new Reservations(this.#sizes, ledger);
    this.#table = {
      ledger,
      sizes: this.#sizes,
      entryOf: ({ key }) => this.#entryOf(key),
      enter: (tenant, peer) => this.#enter(tenant, peer),
      moved: (entry) => this.#moved(entry),
      givenTo: (tenant, peer) => this.#givenTo(tenant, peer),
      revisionOf: ({ key }) => this.#past.get(key) ?? this.#revision,
      sharersWith: ({ key }) => this.#sharers.size + (this.#sharers.has(key) ? 0 : 1),
      reservedFor: (tenant, terms, change, heap) =>
        this.#reservations.ifDemanded(tenant, this.#demandsOf(tenant, terms, change), heap),
    };
    this.#named = new Map();
    this.#reserveNamed();
    authority.onReplaced(() => this.#followPolicy());
    ledger.watchTenants((tenant) => this.#moved(this.#enter(tenant, undefined)));
  }

  /** The quota of a process's tenant, with the terms of this process. */
  of(identity: Identity): Quota {
    return new Quota(identity.tenant, this.#table, identity);
  }

  /** The quota of a tenant, with the tenant's own terms. */
  ofTenant(tenant: Tenant): Quota {
    return new Quota(tenant, this.#table);
  }

  /** The payer for requests of a process. */
  payer(identity: Identity): Payer {
    const { tenant } = identity;
    return {
      tenant,
      unused: (heap) => {
        const { terms, change } = this.of(identity);
        return this.#reservations.unusedIfDemanded(tenant, this.#demandsOf(tenant, terms, change), heap);
      },
      require: (bytes, heap) => this.of(identity).require(bytes, heap),
      charge: (bytes, heap, foreign) => {
        const charge = this.#ledger.charge(bytes, heap, tenant, foreign);
        this.#moved(this.#enter(tenant, identity));
        return charge;
      },
    };
  }

  /**
   * All tenants that have something, whose quota SetQuota changed, or that the policy reserves something for;
   * by uid.
   */
  get tenants(): Pick<SortedList<TenantPosition, Tenant>, 'after' | 'last' | 'toArray'> {
    return this.#listed;
  }

  /** Why a change is impossible; undefined if it is possible. */
  conflict({ tenant, ofPolicy, terms }: Quota, change: Change | undefined): string | undefined {
    const next = changed(ofPolicy, change);
    const unknown = [...(change?.limits.keys() ?? []), ...(change?.reserved.keys() ?? [])];
    const stray = unknown.find((heap) => heap >= this.#sizes.length);
    if (stray !== undefined) return `The device has no heap ${stray}.`;
    for (const [heap, size] of this.#sizes.entries()) {
      const [limit = 'unlimited', bytes = 0n] = [next.limits[heap], next.reserved[heap]];
      const more = bytes > (terms.reserved[heap] ?? 0n);
      if (typeof limit === 'bigint' && bytes > limit && (more || limit !== terms.limits[heap])) {
        return `${bytes} bytes of heap ${heap} would be reserved, above the limit of ${limit}.`;
      }
      const others = this.#reservations.ofOthers(tenant, heap);
      if (more && bytes + others > size && !this.#authority.policy.overcommit) {
        return `${bytes} bytes, plus ${others} for other tenants, exceed the ${size} bytes of heap ${heap}.`;
      }
    }
    return undefined;
  }

  unused(heap: number): bigint {
    return this.#reservations.unused(heap);
  }

  #enter(tenant: Tenant, peer: Identity | undefined): Entry {
    const known = this.#entryOf(tenant.key);
    const revision = known?.revision ?? this.#table.revisionOf(tenant);
    const entry = known ?? new Entry(tenant, this.#givenTo(tenant, peer), revision, this.#policy);
    this.#entries.set(tenant.key, entry);
    this.#list(tenant);
    if (peer && entry.peer !== peer) {
      entry.peer = peer;
      entry.given = this.#givenTo(tenant, peer);
    }
    return entry;
  }

  /** The entry of a tenant, with the terms of the policy in force. */
  #entryOf(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry) this.#follow(entry);
    return entry;
  }

  #moved(entry: Entry): void {
    this.#place(entry);
    const quota = this.ofTenant(entry.tenant);
    if (quota.idle && !entry.dropped) this.#remove(entry, quota);
  }

  /** Updates the sharers and the reservations. */
  #place({ tenant, given, terms, change }: Entry): void {
    if (this.ofTenant(tenant).active && !given.operator) this.#sharers.add(tenant.key);
    else this.#sharers.delete(tenant.key);
    this.#reservations.demand(tenant, this.#demandsOf(tenant, terms, change));
  }

  #remove(entry: Entry, quota: Quota): void {
    const { tenant, revision } = entry;
    const left = this.#sizes.map((_, heap) => quota.usedOn(heap));
    if (left.some((bytes) => bytes !== 0n)) {
      const defect = new Error(`${left.join(', ')} bytes on its heaps belong to no allocation`);
      this.#events.fault(`tenant ${tenant.name} has nothing left, but its account is not zero`, defect);
    }
    entry.dropped = true;
    this.#entries.delete(tenant.key);
    this.#unlistUnused(tenant);
    this.#sharers.delete(tenant.key);
    this.#reserveAbsent(tenant);
    if (revision > this.#revision) this.#past.set(tenant.key, revision);
  }

  /** Sets the reservation of a tenant without an entry: what rules by its uid alone reserve. */
  #reserveAbsent(tenant: Tenant): void {
    const named = this.#named.get(tenant.key);
    const demands = this.#sizes.map((): Demand => [0n, 0n, 0n]);
    this.#reservations.demand(tenant, named ? this.#demandsOf(tenant, named.terms, undefined) : demands);
  }

  #demandsOf({ key }: Tenant, terms: Terms, change: Change | undefined): readonly Demand[] {
    const named = this.#named.get(key)?.terms;
    return this.#sizes.map((_, heap) => demandOn(terms, heap, change?.reserved.has(heap) ?? false, named));
  }

  #givenTo(tenant: Tenant, peer: Identity | undefined): Given {
    const rights = peer ? this.#authority.rightsOf(peer) : defaultRights(this.#authority.policy, tenant);
    const terms = this.#terms.get(rights) ?? termsOf(rights, this.#sizes);
    this.#terms.set(rights, terms);
    return { terms, operator: rights.operator };
  }

  /**
   * Applies a replaced policy. A tenant without an entry may get other terms too, so all revisions increase. An
   * entry follows when it is next used, and at the latest in a slice of the event loop: there may be thousands.
   */
  #followPolicy(): void {
    this.#policy += 1;
    this.#revision += 1n;
    for (const [key, revision] of this.#past) this.#past.set(key, revision + 1n);
    const gone = [...this.#named.values()].filter(({ tenant }) => !this.#entries.has(tenant.key));
    this.#reserveNamed();
    for (const { tenant } of gone) {
      this.#reserveAbsent(tenant);
      this.#unlistUnused(tenant);
    }
    // What throws is a defect, and ends the process as any other.
    void slices.run(POLICY, this.#entries.values(), (entry) => this.#follow(entry));
  }

  #follow(entry: Entry): void {
    if (entry.policy === this.#policy) return;
    entry.policy = this.#policy;
    const given = this.#givenTo(entry.tenant, entry.peer);
    if (!isDeepStrictEqual(given.terms, entry.given.terms)) entry.revision += 1n;
    entry.given = given;
    this.#place(entry);
  }

  #reserveNamed(): void {
    const { policy } = this.#authority;
    this.#named = namedTenants(policy, this.#sizes);
    this.#reservations.overcommit = policy.overcommit;
    for (const { tenant } of this.#named.values()) {
      this.#list(tenant);
      if (!this.#entries.has(tenant.key)) this.#reserveAbsent(tenant);
    }
  }

  #list(tenant: Tenant): void {
    if (this.#tenants.has(tenant.key)) return;
    this.#tenants.set(tenant.key, tenant);
    this.#listed.add(tenant);
  }

  #unlistUnused({ key }: Tenant): void {
    const tenant = this.#tenants.get(key);
    if (!tenant || this.#entries.has(key) || this.#named.has(key)) return;
    this.#tenants.delete(key);
    this.#listed.remove(tenant);
  }
}
