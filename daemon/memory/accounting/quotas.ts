/**
 * Quotas: what each tenant may have and has, of bytes on each heap, allocations, sessions and tickets.
 *
 * What it may have is what the policy gives it, with what SetQuota changed on top. Bytes and allocations are
 * those of the tenant's account in the ledger and nowhere else: live, draining and pending. Sessions and
 * tickets are counted here. A limit that is lowered takes nothing back: what is used above it is the overage,
 * and nothing more is given.
 *
 * Rules may match a group or a unit, so the policy is evaluated for a process, while all that the processes
 * of a tenant have is counted together. A request is judged by what the policy gives its own process. The
 * terms of a tenant are those of the process of it that took something last; where none did, they are its
 * default rights (default-rights.ts).
 *
 * Looking a quota up changes nothing. An entry is made when a tenant takes something or an operator sets
 * something, and dropped when nothing is left of it; its account must then be zero, and a defect is reported
 * where it is not.
 *
 * The revision changes with SetQuota, and with a policy that gives the tenant something else. The size of a
 * share, and what rules by group or unit give to this or that process, change under the same revision.
 *
 * Where the policy says `share`, a tenant may have as much of a heap as if all tenants that have sessions or
 * bytes, and one more, had the same. Operators do not count.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Decoded, VkmemError } from '@vkmemd/proto';
import type { Identity } from '../../policy/identity.js';
import type { Rights } from '../../policy/rights.js';
import { byTenant, describeTenant, shownUid, type Tenant } from '../../policy/tenant.js';
import type { Authority } from '../authority.js';
import type { BudgetEvents, Guarantees, Payer } from './budget.js';
import { defaultRights, type NamedTenant, namedTenants } from './default-rights.js';
import { type Ledger, usedBytes } from './ledger.js';
import { type Demand, demandOn, Reservations } from './reservations.js';
import { type Change, changed, type Terms, termsOf } from './terms.js';

/** What is counted here. */
export type Counted = 'sessions' | 'tickets';

/** What the policy gives. */
interface Given {
  readonly terms: Terms;
  /** Operators count for nobody's share. */
  readonly operator: boolean;
}

/** What is known of one tenant, from when it has something until nothing is left of it. */
class Entry {
  readonly tenant: Tenant;
  readonly counts = { sessions: 0, tickets: 0 };
  /** The process of the tenant that took something last. */
  peer: Identity | undefined;
  given: Given;
  change: Change | undefined;
  revision: bigint;
  dropped = false;

  constructor(tenant: Tenant, given: Given, revision: bigint) {
    this.tenant = tenant;
    this.given = given;
    this.revision = revision;
  }

  get terms(): Terms {
    return changed(this.given.terms, this.change);
  }
}

/** What a quota needs of all of them. */
interface Table {
  readonly ledger: Ledger;
  /** Of the heaps, in bytes. */
  readonly sizes: readonly bigint[];
  entryOf(tenant: Tenant): Entry | undefined;
  /** The entry, made where there is none; of this process from now on, where there is one. */
  enter(tenant: Tenant, peer: Identity | undefined): Entry;
  /** What the entry has or may have has changed. */
  moved(entry: Entry): void;
  givenTo(tenant: Tenant, peer: Identity | undefined): Given;
  revisionOf(tenant: Tenant): bigint;
  /** How many tenants have shares of the heaps, this one among them. */
  sharersWith(tenant: Tenant): number;
  /** Bytes of a heap that are, or would be, reserved for the tenant with these terms. */
  reservedFor(tenant: Tenant, terms: Terms, change: Change | undefined, heap: number): bigint;
}

const above = (used: bigint, limit: bigint | undefined): bigint =>
  limit !== undefined && used > limit ? used - limit : 0n;

/**
 * The quota of one tenant, as it was looked up: of one of its processes, or of the tenant as it is. Look it
 * up anew after an await: what is taken by one that was dropped meanwhile is a defect, and throws.
 */
export class Quota {
  readonly tenant: Tenant;
  readonly #table: Table;
  readonly #peer: Identity | undefined;
  /** Undefined until the tenant has something. */
  #found: Entry | undefined;
  /** What the policy gives the process; of a tenant without an entry, its default rights. */
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

  /** What SetQuota changed; undefined for nothing. */
  get change(): Change | undefined {
    return this.#entry?.change;
  }

  /** What the tenant may have. */
  get terms(): Terms {
    return changed(this.ofPolicy, this.change);
  }

  /** Whether the tenant is active: it counts where shares are made. */
  get active(): boolean {
    return this.used('sessions') + this.used('allocations') > 0;
  }

  /** Whether the tenant has nothing, and was given nothing. */
  get idle(): boolean {
    return !this.active && this.used('tickets') === 0 && !this.change;
  }

  /**
   * The most bytes on a heap; undefined where only the heap limits them. A share is never less than what is
   * reserved.
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

  used(what: Counted | 'allocations'): number {
    if (what === 'allocations') return this.#table.ledger.chargesOf(this.tenant);
    return this.#entry?.counts[what] ?? 0;
  }

  /**
   * @throws VkmemError QUOTA_EXCEEDED where the tenant may not have one more allocation of so many bytes on
   *   that heap.
   */
  require(bytes: bigint, heap: number): void {
    this.#requireOneMore('allocations');
    const [used, limit] = [this.usedOn(heap), this.limitOn(heap)];
    if (limit === undefined || used + bytes <= limit) return;
    throw new VkmemError(
      'QUOTA_EXCEEDED',
      `${bytes} bytes were asked for; user ${this.tenant.name} has ${used} of at most ${limit} on heap ${heap}.`,
      {
        heap: String(heap),
        requested_bytes: String(bytes),
        limit_bytes: String(limit),
        used_bytes: String(used),
      },
    );
  }

  /**
   * Takes one more, until what is returned is disposed, once: a second time is a defect, and throws.
   * @throws VkmemError TOO_MANY_SESSIONS, QUOTA_EXCEEDED for tickets, where the tenant may not have one more.
   */
  take(what: Counted): Disposable {
    this.#requireOneMore(what);
    return this.count(what);
  }

  /** The same of one that outlived its daemon: it counts, above the limit too. */
  count(what: Counted): Disposable {
    const entry = this.#enter();
    entry.counts[what] += 1;
    this.#table.moved(entry);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held)
          throw new Error(`quota of user ${this.tenant.name}: one of its ${what} was given back twice`);
        held = false;
        entry.counts[what] -= 1;
        this.#table.moved(entry);
      },
    };
  }

  /** What an operator says from now on; undefined for what the policy says. */
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
      throw new Error(`quotas: that of user ${this.tenant.name} was dropped, and used again`);
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
    const reason = `User ${this.tenant.name} has ${used} of at most ${limit} ${what}.`;
    throw new VkmemError(code, reason, { scope: 'user', what, limit: String(limit), used: String(used) });
  }
}

export class Quotas implements Guarantees {
  readonly #sizes: readonly bigint[];
  readonly #ledger: Ledger;
  readonly #authority: Authority;
  readonly #events: BudgetEvents;
  /** By the tenant's key, as everything below. */
  readonly #entries = new Map<string, Entry>();
  readonly #sharers = new Set<string>();
  readonly #reservations: Reservations;
  readonly #table: Table;
  readonly #terms = new WeakMap<Rights, Terms>();
  #named: ReadonlyMap<string, NamedTenant>;
  /** What quotas begin with: no client sees a revision again that once said something else. */
  #revision = 1n;
  /** The same of tenants whose quotas were changed and whose entries were dropped. */
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
      entryOf: ({ key }) => this.#entries.get(key),
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

  /** The quota of a tenant, as it is. */
  ofTenant(tenant: Tenant): Quota {
    return new Quota(tenant, this.#table);
  }

  /** Whom a request of a process is charged to. */
  payer(identity: Identity): Payer {
    const { tenant } = identity;
    return {
      tenant,
      unused: (heap) => {
        const { terms, change } = this.of(identity);
        return this.#reservations.unusedIfDemanded(tenant, this.#demandsOf(tenant, terms, change), heap);
      },
      require: (bytes, heap) => this.of(identity).require(bytes, heap),
      charge: (bytes, heap) => {
        const charge = this.#ledger.charge(bytes, heap, tenant);
        this.#moved(this.#enter(tenant, identity));
        return charge;
      },
    };
  }

  /**
   * Of every tenant that has anything, was given something, or that the policy reserves something for; by
   * uid.
   */
  get all(): Quota[] {
    const tenants = new Map<string, Tenant>();
    for (const { tenant } of [...this.#entries.values(), ...this.#named.values()]) {
      tenants.set(tenant.key, tenant);
    }
    return [...tenants.values()].sort(byTenant).map((tenant) => this.ofTenant(tenant));
  }

  /** Why a change cannot be: what contradicts what; undefined where nothing does. */
  conflict({ tenant, ofPolicy, terms }: Quota, change: Change | undefined): string | undefined {
    const next = changed(ofPolicy, change);
    const unknown = [...(change?.limits.keys() ?? []), ...(change?.reserved.keys() ?? [])];
    const stray = unknown.find((heap) => heap >= this.#sizes.length);
    if (stray !== undefined) return `The device has no heap ${stray}.`;
    for (const [heap, size] of this.#sizes.entries()) {
      const [limit = 'unlimited', bytes = 0n] = [next.limits[heap], next.reserved[heap]];
      const more = bytes > (terms.reserved[heap] ?? 0n);
      if (typeof limit === 'bigint' && bytes > limit && (more || limit !== terms.limits[heap])) {
        return `${bytes} bytes of heap ${heap} would be reserved, with a limit of ${limit}.`;
      }
      const others = this.#reservations.ofOthers(tenant, heap);
      if (more && bytes + others > size && !this.#authority.policy.overcommit) {
        return `${bytes} bytes of heap ${heap} would be reserved, and ${others} are for others; it has ${size}.`;
      }
    }
    return undefined;
  }

  unused(heap: number): bigint {
    return this.#reservations.unused(heap);
  }

  #enter(tenant: Tenant, peer: Identity | undefined): Entry {
    const known = this.#entries.get(tenant.key);
    const revision = known?.revision ?? this.#table.revisionOf(tenant);
    const entry = known ?? new Entry(tenant, this.#givenTo(tenant, peer), revision);
    this.#entries.set(tenant.key, entry);
    if (peer && entry.peer !== peer) {
      entry.peer = peer;
      entry.given = this.#givenTo(tenant, peer);
    }
    return entry;
  }

  #moved(entry: Entry): void {
    this.#place(entry);
    const quota = this.ofTenant(entry.tenant);
    if (quota.idle && !entry.dropped) this.#remove(entry, quota);
  }

  /** Among those that have shares and reservations. */
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
      this.#events.fault(`user ${tenant.name} is gone, and its quota is not zero`, defect);
    }
    entry.dropped = true;
    this.#entries.delete(tenant.key);
    this.#sharers.delete(tenant.key);
    this.#reserveAbsent(tenant);
    if (revision > this.#revision) this.#past.set(tenant.key, revision);
  }

  /** Of a tenant without an entry: what rules by its uid alone reserve. */
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
   * Another policy is in force. A tenant without an entry may be given something else too: all revisions move
   * on.
   */
  #followPolicy(): void {
    this.#revision += 1n;
    for (const [key, revision] of this.#past) this.#past.set(key, revision + 1n);
    const gone = [...this.#named.values()].filter(({ tenant }) => !this.#entries.has(tenant.key));
    this.#reserveNamed();
    for (const { tenant } of gone) this.#reserveAbsent(tenant);
    for (const entry of this.#entries.values()) {
      const given = this.#givenTo(entry.tenant, entry.peer);
      if (!isDeepStrictEqual(given.terms, entry.given.terms)) entry.revision += 1n;
      entry.given = given;
      this.#place(entry);
    }
  }

  #reserveNamed(): void {
    const { policy } = this.#authority;
    this.#named = namedTenants(policy, this.#sizes);
    this.#reservations.overcommit = policy.overcommit;
    for (const { tenant } of this.#named.values()) {
      if (!this.#entries.has(tenant.key)) this.#reserveAbsent(tenant);
    }
  }
}
