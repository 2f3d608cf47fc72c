/**
 * The registry: every allocation by its id and its name, and the names that requests under way have taken.
 *
 * Draining allocations stay listed until their bytes are free, but can no longer be found. Those that ended because
 * the device was lost are remembered for a while, so that whoever still names one is told why it is gone.
 */
import { type AllocationRef, VkmemError } from '@vkmemd/proto';
import type { Identity } from '../../policy/identity.js';
import type { Authority, Purpose } from '../authority.js';
import { Allocation } from './allocation.js';

/** How many of the allocations that a lost device took are remembered. */
const MAX_LOST = 4096;
/** `uid/name`, as the keys of names are written. */
const SCOPED = /^(0|[1-9]\d{0,9})\//;

export class Registry {
  readonly #byId = new Map<string, Allocation>();
  readonly #byName = new Map<string, Allocation | 'reserved'>();
  readonly #draining = new Set<Allocation>();
  /** Ids and names, and whose they were; the longest ago first. */
  readonly #lost = new Map<string, number>();
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
   * Takes a name for a request under way; whoever takes it gives it back, or adds the allocation.
   * @throws VkmemError NAME_TAKEN.
   */
  reserveName(key: string): void {
    if (this.#byName.has(key)) throw new VkmemError('NAME_TAKEN', `The name is ${key}.`, { name: key });
    this.#byName.set(key, 'reserved');
    this.#lost.delete(key);
  }

  releaseName(key: string): void {
    this.#byName.delete(key);
  }

  add(allocation: Allocation): void {
    this.#byId.set(allocation.id, allocation);
    if (allocation.nameKey) this.#byName.set(allocation.nameKey, allocation);
  }

  /** The allocation can no longer be found; it stays listed as draining. */
  retire(allocation: Allocation): void {
    this.#byId.delete(allocation.id);
    if (allocation.nameKey) this.#byName.delete(allocation.nameKey);
    this.#draining.add(allocation);
  }

  /** The allocation is about to be retired, since the device took its memory with it. */
  lose({ id, nameKey, terms }: Allocation): void {
    for (const key of nameKey ? [id, nameKey] : [id]) this.#lost.set(key, terms.ownerUid);
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
    const owner = this.#lost.get(key);
    if (owner === undefined) throw notFound(ref);
    this.#authority.require(identity, purpose, { ownerUid: owner });
    throw new VkmemError('DEVICE_LOST', `${ref?.id ?? ref?.name} ended with the device that held it.`);
  }

  /** An id, or `uid/name`; neither can be mistaken for the other. */
  #keyOf(ref: AllocationRef | null | undefined, identity: Identity, purpose: Purpose): string {
    // A name in the place of an id would be looked up before anybody asked whose it is.
    if (ref?.id?.includes('/')) throw notFound(ref);
    if (ref?.id) return ref.id;
    if (!ref?.name) {
      throw new VkmemError('INVALID_ARGUMENT', 'The request names no allocation.', { field: 'allocation' });
    }
    if (!ref.name.includes('/')) return `${identity.uid}/${ref.name}`;
    const [, uid] = SCOPED.exec(ref.name) ?? [];
    if (uid === undefined) throw notFound(ref);
    // Whether another user has a name is nobody else's business: refused before it is looked up.
    this.#authority.require(identity, purpose, { ownerUid: Number(uid) });
    return ref.name;
  }
}

const notFound = (ref: AllocationRef | null | undefined): VkmemError =>
  new VkmemError('NOT_FOUND', `The request names ${ref?.id ?? ref?.name}.`);
