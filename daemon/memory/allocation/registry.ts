/**
 * The registry: every allocation by its id and its name, and the names that requests under way have taken.
 *
 * Draining allocations stay listed until their bytes are free, but can no longer be found. Those that ended
 * because the device was lost are remembered for a while, so that a request that names one fails with the
 * reason.
 */
import { type AllocationRef, VkmemError } from '@vkmemd/proto';
import type { Identity } from '../../policy/identity.js';
import { nameKeyOf, parseScopedName, shownNameKey, type Tenant } from '../../policy/tenant.js';
import type { Authority, Purpose } from '../authority.js';
import type { Session } from '../session/session.js';
import { Allocation } from './allocation.js';

/** How many of the allocations that a lost device took are remembered. */
const MAX_LOST = 4096;
const NOTHING: ReadonlySet<Allocation> = new Set();

export class Registry {
  readonly #byId = new Map<string, Allocation>();
  /** By `KEY/NAME`. */
  readonly #byName = new Map<string, Allocation | 'pending'>();
  readonly #draining = new Set<Allocation>();
  /** Live allocations that end with a session. */
  readonly #owned = new Map<Session, Set<Allocation>>();
  /** Ids and names, and whose they were; the longest ago first. */
  readonly #lost = new Map<string, Tenant>();
  readonly #authority: Authority;

  constructor(authority: Authority) {
    this.#authority = authority;
  }

  get live(): number {
    return this.#byId.size;
  }

  get draining(): number {
    return this.#draining.size;
  }

  /** Every allocation, live and draining, oldest first. */
  get all(): Allocation[] {
    return [...this.#byId.values(), ...this.#draining].sort((a, b) => a.createdAt - b.createdAt);
  }

  /**
   * Reserves a name for a pending request, which releases it, or adds the allocation.
   * @throws VkmemError NAME_TAKEN.
   */
  reserveName(key: string): void {
    if (this.#byName.has(key))
      throw new VkmemError('NAME_TAKEN', `The name is ${shownNameKey(key)}.`, { name: shownNameKey(key) });
    this.#byName.set(key, 'pending');
    this.#lost.delete(key);
  }

  releaseName(key: string): void {
    this.#byName.delete(key);
  }

  add(allocation: Allocation): void {
    this.#byId.set(allocation.id, allocation);
    if (allocation.nameKey) this.#byName.set(allocation.nameKey, allocation);
    const { owner } = allocation.terms;
    if (owner) this.#owned.set(owner, (this.#owned.get(owner) ?? new Set()).add(allocation));
  }

  /** One that outlived its daemon and ends now: another one may have its name since. */
  addEnding(allocation: Allocation): void {
    this.#byId.set(allocation.id, allocation);
  }

  /** The live allocations that end with the session. */
  ownedBy(session: Session): ReadonlySet<Allocation> {
    return this.#owned.get(session) ?? NOTHING;
  }

  /** The allocation can no longer be found; it stays listed as draining. */
  retire(allocation: Allocation): void {
    this.#byId.delete(allocation.id);
    const { nameKey } = allocation;
    if (nameKey && this.#byName.get(nameKey) === allocation) this.#byName.delete(nameKey);
    this.#draining.add(allocation);
    const { owner } = allocation.terms;
    const owned = owner && this.#owned.get(owner);
    owned?.delete(allocation);
    if (owner && owned?.size === 0) this.#owned.delete(owner);
  }

  /** The allocation is about to be retired, since the device took its memory with it. */
  lose({ id, nameKey, terms }: Allocation): void {
    for (const key of nameKey ? [id, nameKey] : [id]) this.#lost.set(key, terms.tenant);
    for (const key of this.#lost.keys()) {
      if (this.#lost.size <= MAX_LOST) return;
      this.#lost.delete(key);
    }
  }

  /** The allocation is gone. */
  remove(allocation: Allocation): void {
    this.#draining.delete(allocation);
  }

  /** The allocations that a caller may see, oldest first. */
  visibleTo(identity: Identity): Allocation[] {
    return this.all.filter((allocation) => this.#authority.may(identity, 'see', allocation.terms));
  }

  /**
   * The live allocation that a message names, for a caller who may do that with it.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, DEVICE_LOST; INVALID_ARGUMENT where it names none.
   */
  find(ref: AllocationRef | null | undefined, identity: Identity, purpose: Purpose): Allocation {
    const key = this.#keyOf(ref, identity, purpose);
    const found = this.#byId.get(key) ?? this.#byName.get(key);
    if (found instanceof Allocation) {
      this.#authority.require(identity, purpose, found.terms);
      return found;
    }
    const tenant = this.#lost.get(key);
    if (!tenant) throw notFound(ref);
    this.#authority.require(identity, purpose, { tenant });
    throw new VkmemError('DEVICE_LOST', `${ref?.id ?? ref?.name} ended with the device that held it.`);
  }

  /** An id, or `KEY/NAME`; neither can be mistaken for the other. */
  #keyOf(ref: AllocationRef | null | undefined, identity: Identity, purpose: Purpose): string {
    // A name in the place of an id would be looked up before anybody asked whose it is.
    if (ref?.id?.includes('/')) throw notFound(ref);
    if (ref?.id) return ref.id;
    if (!ref?.name) {
      throw new VkmemError('INVALID_ARGUMENT', 'The request names no allocation.', { field: 'allocation' });
    }
    if (!ref.name.includes('/')) return `${identity.tenant.key}/${ref.name}`;
    const scoped = parseScopedName(ref.name);
    if (!scoped) throw notFound(ref);
    // Whether another user has a name is nobody else's business: refused before it is looked up.
    this.#authority.require(identity, purpose, { tenant: scoped.tenant });
    return nameKeyOf(scoped.tenant, scoped.name);
  }
}

const notFound = (ref: AllocationRef | null | undefined): VkmemError =>
  new VkmemError('NOT_FOUND', `The request names ${ref?.id ?? ref?.name}.`);
