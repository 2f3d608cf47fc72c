/** A holding: all grants that one session has of one allocation. */
import type { AccessName } from '@vkmemd/proto';
import type { Allocation } from '../allocation/allocation.js';
import type { Session } from '../session/session.js';
import type { GrantRecord } from './record.js';

export class Holding {
  readonly session: Session;
  readonly allocation: Allocation;
  readonly #grants = new Set<GrantRecord>();
  /** The number of issued grants with a reference to the lock. */
  readonly locked: Record<AccessName, number> = { rw: 0, ro: 0 };
  /** The number of these whose kind is not MAPPABLE. */
  lockedUnseen = 0;
  /** The number of grants with which the session can map the allocation and write to it. */
  writable = 0;

  constructor(session: Session, allocation: Allocation) {
    this.session = session;
    this.allocation = allocation;
  }

  get grants(): ReadonlySet<GrantRecord> {
    return this.#grants;
  }

  add(grant: GrantRecord): void {
    this.#grants.add(grant);
    this.writable += writes(grant);
    if (grant.issued) this.#count(grant, 1);
  }

  /** A grant of it is issued. */
  issue(grant: GrantRecord): void {
    if (grant.issued) return;
    grant.issued = true;
    if (this.#grants.has(grant)) this.#count(grant, 1);
  }

  remove(grant: GrantRecord): void {
    if (!this.#grants.delete(grant)) return;
    this.writable -= writes(grant);
    if (grant.issued) this.#count(grant, -1);
  }

  #count({ lock, access, kind }: GrantRecord, change: 1 | -1): void {
    if (!lock) return;
    this.locked[access] += change;
    if (kind !== 'MAPPABLE') this.lockedUnseen += change;
  }
}

/** Looks up the holdings that orphaned locks are made of. */
export interface GrantIndex {
  /** Each has at least one grant. */
  holdingsOf(session: Session): Iterable<Holding>;
  /** Undefined if the session has no grant of the allocation. */
  holding(session: Session, allocation: Allocation): Holding | undefined;
}

const writes = ({ kind, access }: GrantRecord): number => Number(kind === 'MAPPABLE' && access === 'rw');
