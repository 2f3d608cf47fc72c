/**
 * The registry: every allocation by its id and its name, and the names that requests under way have taken.
 *
 * Draining allocations stay listed until their bytes are free, but can no longer be found.
 */
import { type AllocationRef, VkmemError } from '@vkmemd/proto';
import type { Allocation } from './allocation.js';
import { type Identity, mayUse, requireUse } from './policy.js';

export class Registry {
  readonly #byId = new Map<string, Allocation>();
  readonly #byName = new Map<string, Allocation | 'reserved'>();
  readonly #draining = new Set<Allocation>();

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

  /** The allocation is gone. */
  remove(allocation: Allocation): void {
    this.#draining.delete(allocation);
  }

  /** The allocations that a caller may see, oldest first. */
  visibleTo(identity: Identity): Allocation[] {
    return this.all.filter((allocation) => mayUse(identity, allocation.terms.ownerUid));
  }

  /**
   * The live allocation that a message names.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED; INVALID_ARGUMENT where it names none.
   */
  find(ref: AllocationRef | null | undefined, identity: Identity): Allocation {
    const allocation = this.#resolve(ref, identity);
    if (!allocation) throw new VkmemError('NOT_FOUND', `The request names ${ref?.id ?? ref?.name}.`);
    requireUse(identity, allocation.terms.ownerUid);
    return allocation;
  }

  #resolve(ref: AllocationRef | null | undefined, identity: Identity): Allocation | undefined {
    if (ref?.id) return this.#byId.get(ref.id);
    if (!ref?.name) {
      throw new VkmemError('INVALID_ARGUMENT', 'The request names no allocation.', { field: 'allocation' });
    }
    const slash = ref.name.indexOf('/');
    // Whether another user has a name is nobody else's business: refused before it is looked up.
    if (slash >= 0) requireUse(identity, Number(ref.name.slice(0, slash)));
    const key = slash >= 0 ? ref.name : `${identity.uid}/${ref.name}`;
    const found = this.#byName.get(key);
    return found === 'reserved' ? undefined : found;
  }
}
