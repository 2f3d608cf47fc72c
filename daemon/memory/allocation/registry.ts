/**
 * The registry: every allocation by its id and its name, and the names reserved by requests under way.
 *
 * Draining allocations stay listed until their bytes are free, but cannot be found by id or name. Allocations
 * that were lost with the device are remembered for a while, so that a request that names one fails with
 * DEVICE_LOST.
 */
import { type AllocationRef, VkmemError } from '@vkmemd/proto';
import type { Identity } from '../../policy/identity.js';
import { nameKeyOf, parseScopedName, shownNameKey, type Tenant } from '../../policy/tenant.js';
import type { DeviceMemory } from '../../vulkan/device.js';
import type { Authority, Purpose } from '../authority.js';
import type { Session } from '../session/session.js';
import { SetIndex } from '../set-index.js';
import { SortedList } from '../sorted-list.js';
import { Allocation } from './allocation.js';

/** Maximum number of ids and names of lost allocations that are remembered. */
const MAX_LOST = 4096;
const NOTHING: ReadonlySet<Allocation> = new Set();

/** The position of an allocation in the list of all. */
export type Position = Pick<Allocation, 'createdAt' | 'serial'>;

/** Orders positions: oldest first. */
export const byAge = (one: Position, other: Position): number =>
  one.createdAt - other.createdAt || one.serial - other.serial;

export class Registry {
  readonly #byId = new Map<string, Allocation>();
  /** By `KEY/NAME`. */
  readonly #byName = new Map<string, Allocation | 'pending'>();
  readonly #draining = new Set<Allocation>();
  /** The fds of each allocation that does not drain: they stay open until it does. */
  readonly #fdsOf = new Map<Allocation, number>();
  #liveFds = 0;
  /** All of them, live and draining. */
  readonly #listed = new SortedList<Position, Allocation>(byAge);
  /** By the files that they were imported from (DeviceMemory.files). */
  readonly #ofFile = new SetIndex<string, Allocation>();
  readonly #filesOf = new WeakMap<Allocation, readonly string[]>();
  /** Live allocations that end with a session. */
  readonly #owned = new Map<Session, Set<Allocation>>();
  /** The tenants of lost allocations, by id and by name key; the oldest first. */
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
    return this.#listed.toArray();
  }

  /** The last of all. */
  get last(): Allocation | undefined {
    return this.#listed.last;
  }

  /** At most `max` allocations, live and draining, oldest first, after a position; from the first if none. */
  after(position: Position | undefined, max: number): Allocation[] {
    return this.#listed.after(position, max);
  }

  /** The number of fds that the daemon keeps open for all allocations. */
  get fds(): number {
    let draining = 0;
    for (const { memory } of this.#draining) draining += memory.fds;
    return this.#liveFds + draining;
  }

  /**
   * Reserves a name for a pending request. The request then releases the name, or adds the allocation.
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
    this.#list(allocation);
    if (allocation.nameKey) this.#byName.set(allocation.nameKey, allocation);
    const { owner } = allocation.terms;
    if (owner) this.#owned.set(owner, (this.#owned.get(owner) ?? new Set()).add(allocation));
  }

  /**
   * Adds an allocation that survived a restart and that ends now. Another allocation may have its name by
   * now, so the name is not entered.
   */
  addEnding(allocation: Allocation): void {
    this.#byId.set(allocation.id, allocation);
    this.#list(allocation);
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
    this.#uncountFds(allocation);
    const { owner } = allocation.terms;
    const owned = owner && this.#owned.get(owner);
    owned?.delete(allocation);
    if (owner && owned?.size === 0) this.#owned.delete(owner);
  }

  /** Records that the allocation was lost with the device; retire() follows. */
  lose({ id, nameKey, terms }: Allocation): void {
    for (const key of nameKey ? [id, nameKey] : [id]) this.#lost.set(key, terms.tenant);
    for (const key of this.#lost.keys()) {
      if (this.#lost.size <= MAX_LOST) return;
      this.#lost.delete(key);
    }
  }

  /** Removes the allocation: its bytes are free. */
  remove(allocation: Allocation): void {
    this.#draining.delete(allocation);
    this.#uncountFds(allocation);
    this.#listed.remove(allocation);
    for (const file of this.#filesOf.get(allocation) ?? []) this.#ofFile.remove(file, allocation);
  }

  /** The allocation that was imported from the same open file description as the memory. */
  importedFrom(memory: DeviceMemory): Allocation | undefined {
    for (const file of memory.files) {
      for (const other of this.#ofFile.of(file)) if (other.memory.sharesFile(memory)) return other;
    }
    return undefined;
  }

  #list(allocation: Allocation): void {
    this.#listed.add(allocation);
    const { fds, files } = allocation.memory;
    if (files.length > 0) this.#filesOf.set(allocation, files);
    for (const file of files) this.#ofFile.add(file, allocation);
    this.#fdsOf.set(allocation, fds);
    this.#liveFds += fds;
  }

  #uncountFds(allocation: Allocation): void {
    this.#liveFds -= this.#fdsOf.get(allocation) ?? 0;
    this.#fdsOf.delete(allocation);
  }

  /**
   * The live allocation that a message names, if the caller may do this with it.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, DEVICE_LOST; INVALID_ARGUMENT if the message names none.
   */
  find(ref: AllocationRef | null | undefined, identity: Identity, purpose: Purpose): Allocation {
    const key = this.#keyOf(ref, identity, purpose);
    const found = this.#byId.get(key) ?? this.#byName.get(key);
    if (found instanceof Allocation) {
      this.#authority.require(identity, purpose, found.terms);
      return found;
    }
    const tenant = this.#lost.get(key);
    if (!tenant) throw notFound(ref ?? undefined);
    this.#authority.require(identity, purpose, { tenant });
    throw new VkmemError('DEVICE_LOST', `Allocation ${ref?.id ?? ref?.name} was lost with the device.`);
  }

  /** An id, or `KEY/NAME`. The two cannot be confused, since an id has no slash. */
  #keyOf(ref: AllocationRef | null | undefined, identity: Identity, purpose: Purpose): string {
    // A name key in the id field would be looked up before its tenant is checked.
    if (ref?.id?.includes('/')) throw notFound(ref ?? undefined);
    if (ref?.id) return ref.id;
    if (!ref?.name) {
      throw new VkmemError(
        'INVALID_ARGUMENT',
        'The request has neither the id nor the name of an allocation.',
        { field: 'allocation' },
      );
    }
    if (!ref.name.includes('/')) return `${identity.tenant.key}/${ref.name}`;
    const scoped = parseScopedName(ref.name);
    if (!scoped) throw notFound(ref ?? undefined);
    // Checked before the lookup, so that the answer does not reveal whether another tenant has the name.
    this.#authority.require(identity, purpose, { tenant: scoped.tenant });
    return nameKeyOf(scoped.tenant, scoped.name);
  }
}

/** A bare name is one of the caller's own. The text does not depend on what other tenants have. */
function notFound({ id, name = '' }: AllocationRef = {}): VkmemError {
  if (id !== undefined || name.includes('/')) {
    return new VkmemError('NOT_FOUND', `No allocation has the id or name ${id ?? name}.`);
  }
  const next = "Check the name; write UID/NAME for another user's memory, such as 1000/frames.";
  return new VkmemError('NOT_FOUND', `The caller has no allocation ${name}.`, {}, undefined, next);
}
