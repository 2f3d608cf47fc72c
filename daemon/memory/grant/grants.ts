/**
 * Grants: the only place where a grant is made and dropped.
 *
 * issue() locks, exports, counts, persists and publishes grants of one allocation to one session: all of
 * them, or none. drop() is the reverse. A grant exists from the moment its handle is made. If the session
 * ends before the answer is sent, the end of the session drops the grant. Each MAPPABLE grant is an open file
 * description of its own, so that the kernel can report whether it is still held. allocation/draining.ts
 * decides what happens to an allocation's bytes when its last grant is dropped.
 */
import { type AccessName, type Decoded, type KindName, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { type Sharer, Shares } from '../../limits/shares.js';
import { slices } from '../../limits/slices.js';
import type { DeviceInfo } from '../../vulkan/device.js';
import type { Allocation } from '../allocation/allocation.js';
import type { AllocationEvents } from '../allocation/events.js';
import type { Authority } from '../authority.js';
import type { Persistence } from '../persistence.js';
import { type Caller, callerGone, sessionRequired } from '../session/caller.js';
import type { Session } from '../session/session.js';
import type { LockRef } from './access-lock.js';
import { lockNow } from './claim-queue.js';
import { describeGrant } from './description.js';
import type { GrantIndex, Holding } from './holding.js';
import type { GrantRecord } from './record.js';

/**
 * Maximum number of grants of all tenants together. A grant costs the daemon less than 500 bytes until it is
 * released.
 */
export const MAX_GRANTS = 1 << 18;

/** The grants of one answer. The receiver owns the fds, which are in the order of the grants. */
export interface Issued {
  readonly grants: Decoded<'Grant'>[];
  readonly fds: OwnedFd[];
}

interface Collaborators {
  readonly device: { readonly info: DeviceInfo };
  readonly authority: Authority;
  readonly persistence: Persistence;
  readonly allocationEvents: AllocationEvents;
}

export class Grants implements GrantIndex {
  readonly #device: Collaborators['device'];
  readonly #authority: Authority;
  readonly #persistence: Persistence;
  readonly #events: AllocationEvents;
  // Weak maps, so that an index lasts as long as its session or allocation and is not remade for each grant.
  readonly #bySession = new WeakMap<Session, Map<bigint, GrantRecord>>();
  readonly #holdings = new WeakMap<Session, Map<Allocation, Kept>>();
  readonly #byAllocation = new WeakMap<Allocation, Map<Session, Kept>>();
  readonly #count: Shares;
  readonly #ofKind = new Map<KindName, number>();
  #size = 0;
  #nextId = 1n;

  /**
   * @param max the maximum number of grants, of which one tenant may have three quarters (limits/shares.ts).
   */
  constructor({ device, authority, persistence, allocationEvents }: Collaborators, max = MAX_GRANTS) {
    this.#device = device;
    this.#authority = authority;
    this.#persistence = persistence;
    this.#events = allocationEvents;
    this.#count = new Shares(() => max);
  }

  get size(): number {
    return this.#size;
  }

  /** The session's grant with this id; undefined if it has none. */
  get(session: Session, id: bigint): GrantRecord | undefined {
    const grant = this.#bySession.get(session)?.get(id);
    return grant?.issued ? grant : undefined;
  }

  /** The session's grant with this id. @throws VkmemError NOT_FOUND. */
  find(session: Session, id: bigint): GrantRecord {
    const grant = this.get(session, id);
    if (grant) return grant;
    throw new VkmemError('NOT_FOUND', `The session has no grant ${id}.`);
  }

  /** Not a copy: grants may be dropped while it is read. */
  ofSession(session: Session): Iterable<GrantRecord> {
    return this.#bySession.get(session)?.values() ?? [];
  }

  /** Not a copy either. */
  holdingsOf(session: Session): Iterable<Holding> {
    return this.#holdings.get(session)?.values() ?? [];
  }

  /** Not a copy either: what each session has of the allocation. */
  holdersOf(allocation: Allocation): Iterable<Holding> {
    return this.#byAllocation.get(allocation)?.values() ?? [];
  }

  /** Undefined if the session has no grant of the allocation. */
  holding(session: Session, allocation: Allocation): Holding | undefined {
    return this.#kept(session, allocation);
  }

  #kept(session: Session, allocation: Allocation): Kept | undefined {
    return this.#holdings.get(session)?.get(allocation);
  }

  /** The id of the newest grant; all later ones are higher. */
  get lastId(): bigint {
    return this.#nextId - 1n;
  }

  sizeOf(session: Session): number {
    return this.#bySession.get(session)?.size ?? 0;
  }

  /** The number of all grants of the kind. */
  sizeOfKind(kind: KindName): number {
    return this.#ofKind.get(kind) ?? 0;
  }

  /**
   * Grants kinds of the allocation to the caller's session.
   * @param lock a reference of the session, borrowed; if it is not given, the lock must be free.
   * @returns the grants, and their fds, which the caller owns.
   * @throws VkmemError NOT_PERMITTED, BUSY, NOT_FOUND, PUBLISHED, QUOTA_EXCEEDED, UNAVAILABLE if the caller
   *   is gone, TOO_MANY_FILES, or the driver's error; nothing is granted then, and no fd is open.
   */
  async issue(
    caller: Caller,
    allocation: Allocation,
    kinds: readonly KindName[],
    access: AccessName,
    lock?: LockRef,
  ): Promise<Issued> {
    if (kinds.length === 0) return { grants: [], fds: [] };
    const { session } = caller;
    if (!session) throw sessionRequired();
    this.#requireOperatorOnCpu(caller, allocation, kinds, access);
    const shared = allocation.lock.mode === 'SHARED';
    const held = shared ? undefined : (lock?.retain() ?? lockNow(allocation, session, access));
    const made: GrantRecord[] = [];
    const fds: OwnedFd[] = [];
    try {
      const grants = await allocation.use(async (memory) => {
        const described: Decoded<'Grant'>[] = [];
        for (const kind of kinds) {
          const handle = await memory.export(kind, access);
          if (handle.fd) fds.push(handle.fd);
          if (caller.gone()) throw callerGone();
          // The allocation may have been freed or published during the export.
          allocation.requireLive();
          allocation.publication?.requireGrantable(kind, access);
          const counted = this.#countOne(session);
          const grant: GrantRecord = {
            id: this.#newId(),
            allocation,
            session,
            kind,
            access,
            fds: handle.fd ? 1 : 0,
            lock: held?.retain(),
            counted,
            issued: false,
            dropped: false,
          };
          this.#add(grant);
          made.push(grant);
          described.push(describeGrant(this.#device.info, caller.identity, grant, handle));
        }
        if (this.#persistence.persists) {
          await this.#persistence.granted(made);
          if (caller.gone()) throw callerGone();
          allocation.requireLive();
        }
        for (const grant of made) this.#issued(grant);
        if (this.#events.hasSubscribers) this.#publish(made);
        return described;
      });
      return { grants, fds };
    } catch (failure) {
      for (const fd of fds) fd.close();
      for (const grant of made) this.drop(grant);
      throw failure;
    } finally {
      held?.release();
    }
  }

  /** Ends a grant, and releases its reference to the lock. */
  drop(grant: GrantRecord): void {
    if (grant.dropped) return;
    grant.dropped = true;
    this.#remove(grant);
    grant.lock?.release();
    grant.counted[Symbol.dispose]();
    this.#persistence.dropped(grant);
  }

  /**
   * Drops those of the grants that `which` selects, in slices with one persistence transaction each.
   * @param emptied called after a slice, for each allocation of which no grant is left.
   */
  dropAll(
    tenant: Sharer,
    grants: Iterable<GrantRecord>,
    emptied: (allocation: Allocation) => void = () => {},
    which: (grant: GrantRecord) => boolean = () => true,
  ): Promise<void> {
    const touched = new Set<Allocation>();
    const drop = (grant: GrantRecord) => {
      if (!which(grant)) return;
      this.drop(grant);
      touched.add(grant.allocation);
    };
    return slices.run(tenant, grants, drop, {
      around: (part) => this.#persistence.together(part),
      after: () => {
        for (const allocation of touched) if (allocation.grants === 0) emptied(allocation);
        touched.clear();
      },
    });
  }

  /** Adds a grant that survived a restart of the daemon. It counts, but is not refused above the limit. */
  restore(record: Omit<GrantRecord, 'counted' | 'issued' | 'dropped'>): void {
    this.#add({
      ...record,
      issued: true,
      dropped: false,
      counted: this.#count.count(record.session.identity.tenant, 1),
    });
  }

  /** Reserves the ids up to `last`, which grants from before the restart have. */
  skipIds(last: bigint): void {
    if (last >= this.#nextId) this.#nextId = last + 1n;
  }

  /**
   * Moves a grant to another session of the same tenant, with its reference to the lock.
   * @returns the record of the new session's grant.
   */
  move(grant: GrantRecord, to: Session): GrantRecord {
    const { allocation, session, access, lock } = grant;
    const moved = { ...grant, session: to, lock: lock && allocation.lock.inherit(session, to, access) };
    // A caller that still has the old record must not drop the grant again.
    grant.dropped = true;
    this.#remove(grant);
    lock?.release();
    this.#add(moved);
    return moved;
  }

  /** On a software device, only operators get an OPAQUE_FD, and writable memory on huge pages. */
  #requireOperatorOnCpu(
    caller: Caller,
    { onHugePages }: Allocation,
    kinds: readonly KindName[],
    access: AccessName,
  ): void {
    const { type } = this.#device.info;
    if (kinds.includes('OPAQUE_FD')) this.#authority.requireOperatorOnCpu(type, caller.identity, 'OPAQUE_FD');
    if (access === 'rw' && onHugePages) {
      this.#authority.requireOperatorOnCpu(type, caller.identity, 'HUGE_PAGES');
    }
  }

  #add(grant: GrantRecord): void {
    const { session, allocation, kind, access } = grant;
    const ofSession = this.#bySession.get(session);
    if (ofSession) ofSession.set(grant.id, grant);
    else this.#bySession.set(session, new Map([[grant.id, grant]]));
    const kept = this.#kept(session, allocation) ?? this.#newHolding(session, allocation);
    kept.grants.add(grant);
    kept.writable += writes(grant);
    if (grant.issued) countLock(kept, grant, 1);
    allocation.grants += 1;
    if (access === 'rw' && kind === 'MAPPABLE') allocation.publication?.writers.note(session.identity.pid);
    this.#ofKind.set(kind, this.sizeOfKind(kind) + 1);
    this.#size += 1;
  }

  /** A grant is issued, unless it was dropped meanwhile. */
  #issued(grant: GrantRecord): void {
    grant.issued = true;
    const kept = this.#kept(grant.session, grant.allocation);
    if (kept?.grants.has(grant)) countLock(kept, grant, 1);
  }

  #newHolding(session: Session, allocation: Allocation): Kept {
    const locked = { rw: 0, ro: 0 };
    const holding: Kept = { session, allocation, grants: new Set(), locked, lockedUnseen: 0, writable: 0 };
    const ofSession = this.#holdings.get(session) ?? new Map();
    this.#holdings.set(session, ofSession.set(allocation, holding));
    const ofAllocation = this.#byAllocation.get(allocation) ?? new Map();
    this.#byAllocation.set(allocation, ofAllocation.set(session, holding));
    return holding;
  }

  #remove(grant: GrantRecord): void {
    const { session, allocation, kind } = grant;
    this.#bySession.get(session)?.delete(grant.id);
    const kept = this.#kept(session, allocation);
    if (kept?.grants.delete(grant)) {
      kept.writable -= writes(grant);
      if (grant.issued) countLock(kept, grant, -1);
    }
    if (kept?.grants.size === 0) {
      this.#holdings.get(session)?.delete(allocation);
      this.#byAllocation.get(allocation)?.delete(session);
    }
    allocation.grants -= 1;
    this.#ofKind.set(kind, this.sizeOfKind(kind) - 1);
    this.#size -= 1;
  }

  /** An id is never reused within one incarnation. */
  #newId(): bigint {
    const id = this.#nextId;
    this.#nextId += 1n;
    return id;
  }

  #countOne({ identity: { tenant } }: Session): Disposable {
    const taken = this.#count.take(tenant, 1);
    if (typeof taken !== 'string') return taken;
    const limit = taken === 'user' ? this.#count.maxOf(tenant) : this.#count.capacity;
    const reason =
      taken === 'user'
        ? `Tenant ${tenant.name} has ${this.#count.of(tenant)} unreleased grants; its limit is ${limit}.`
        : `The daemon has reached its limit of ${limit} unreleased grants.`;
    throw new VkmemError('QUOTA_EXCEEDED', reason, { what: 'grants', limit: String(limit), whose: taken });
  }

  #publish(grants: readonly GrantRecord[]): void {
    for (const grant of grants)
      this.#events.publish({ event: 'GRANTED', at: Date.now(), allocation: grant.allocation, grant });
  }
}

/** A holding as it changes here. */
interface Kept extends Holding {
  readonly grants: Set<GrantRecord>;
  readonly locked: Record<AccessName, number>;
  lockedUnseen: number;
  writable: number;
}

const writes = ({ kind, access }: GrantRecord): number => Number(kind === 'MAPPABLE' && access === 'rw');

/** Counts an issued grant that has a reference to the lock. */
function countLock(kept: Kept, { lock, access, kind }: GrantRecord, change: 1 | -1): void {
  if (!lock) return;
  kept.locked[access] += change;
  if (kind !== 'MAPPABLE') kept.lockedUnseen += change;
}
