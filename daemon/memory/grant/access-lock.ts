/**
 * The access lock of one allocation: which holders may have grants of it at the same time.
 *
 * SHARED has no limit. ONE_WRITER permits one holder that writes, and any number that read. EXCLUSIVE permits
 * one holder that writes, or any number that read. A holder is a session, or a transfer while it runs. It has
 * one reference to the lock for each grant, and holds the lock until the last reference is released. A holder
 * that already has the lock acquires it again at once. All others acquire it in the order of arrival. Readers
 * also queue behind a waiting writer, so that no writer starves.
 *
 * A reader that waits to write is served before writers that came earlier, since none of them can be served
 * before it releases the lock. Two such readers would wait for each other, so the second is refused.
 *
 * The cost of an operation does not grow with the number of holders and waiters, except by those that it serves
 * or refuses.
 */
import { type AccessName, type SharingName, VkmemError } from '@vkmemd/proto';
import { LinkedQueue, type Place } from '../../limits/linked-queue.js';

/** A holder of the lock. Two holders are the same if they are the same object. */
export interface Holder {
  /** The session's id; 0 if the holder is not a session. */
  readonly id: bigint;
}

/** One reference to the lock. */
export interface LockRef {
  /** Adds a reference. */
  retain(): LockRef;
  /** Releases this reference. Later calls do nothing. */
  release(): void;
}

/** A place in the queue. */
export interface Wait {
  readonly lock: Promise<LockRef>;
  /** Ends the wait: `lock` is rejected with the fault. Does nothing once `lock` has resolved. */
  refuse(fault: unknown): void;
}

interface Waiter {
  readonly holder: Holder;
  readonly access: AccessName;
  /** Its number in the order of arrival. */
  readonly arrival: number;
  readonly resolve: (lock: LockRef) => void;
  readonly reject: (fault: unknown) => void;
  /** Its place in the queue; undefined before it is there. */
  place: Place<Waiter> | undefined;
}

/** The waiters of one holder by access, in order of arrival. */
type Waits = Record<AccessName, Set<Waiter>>;

/** How many references one holder has, by access. */
type Held = Record<AccessName, number>;

const UNBOUNDED: LockRef = { retain: () => UNBOUNDED, release: () => {} };

export class AccessLock {
  readonly mode: SharingName;
  readonly #held = new Map<Holder, Held>();
  /** The holders that write: one, or two after inherit(). */
  readonly #writing = new Set<Holder>();
  readonly #queue = new LinkedQueue<Waiter>();
  readonly #waits = new Map<Holder, Waits>();
  /** Waiting holders that have acquired the lock, so that it may cover what they wait for. */
  readonly #gained = new Set<Holder>();
  /** Holders with a waiter that upgrades: at most one, except within #passOn(). */
  readonly #upgrading = new Set<Holder>();
  #arrivals = 0;
  #writer: Holder | undefined;
  #ended: (() => VkmemError) | undefined;

  constructor(mode: SharingName) {
    this.mode = mode;
  }

  /** The holder that may write. */
  get writer(): Holder | undefined {
    return this.#writer;
  }

  get holders(): number {
    return this.#held.size;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * Acquires the lock if it is free and no earlier waiter comes first; otherwise returns undefined.
   * @throws VkmemError the fault that was passed to end().
   */
  tryAcquire(holder: Holder, access: AccessName): LockRef | undefined {
    if (this.mode === 'SHARED') return UNBOUNDED;
    if (this.#ended) throw this.#ended();
    if (this.#covers(holder, access)) return this.#acquire(holder, access);
    const first = this.#queue.size === 0 || !this.#queues(access) || this.#upgrades(holder, access);
    return first && this.#isFree(holder, access) ? this.#acquire(holder, access) : undefined;
  }

  /**
   * Waits for the lock after tryAcquire() did not acquire it. The wait is refused with BUSY if both this
   * holder and another one read and wait to write.
   * @throws VkmemError the fault that was passed to end().
   */
  wait(holder: Holder, access: AccessName): Wait {
    if (this.#ended) throw this.#ended();
    this.#arrivals += 1;
    const asked = { holder, access, arrival: this.#arrivals, place: undefined };
    let refuse: Wait['refuse'] = () => {};
    const lock = new Promise<LockRef>((resolve, reject) => {
      const waiter = { ...asked, resolve, reject };
      this.#enqueue(waiter);
      refuse = (fault) => this.#refuse([waiter], fault);
    });
    this.#passOn();
    return { lock, refuse };
  }

  /** Acquires the lock beside another holder, which is about to release it. */
  inherit(from: Holder, holder: Holder, access: AccessName): LockRef {
    if (!this.#covers(from, access))
      throw new Error('access lock: the holder to inherit from does not have the lock');
    return this.#acquire(holder, access);
  }

  /**
   * Whether a holder may pass these references to a new holder while it retains the others.
   * @param parting how many references of each access.
   */
  canPart(holder: Holder, parting: Readonly<Held>): boolean {
    const held = this.#held.get(holder);
    if (!held) return true;
    const [writes, reads] = [held.rw - parting.rw, held.ro - parting.ro];
    if (this.mode === 'ONE_WRITER') return writes === 0 || parting.rw === 0;
    return writes + reads === 0 || writes + parting.rw === 0;
  }

  /** Whether two holders exclude each other, as after inherit() while both hold the lock. */
  excludes(one: Holder, other: Holder): boolean {
    const [first, second] = [this.#held.get(one), this.#held.get(other)];
    if (!first || !second) return false;
    return this.mode === 'ONE_WRITER' ? first.rw > 0 && second.rw > 0 : first.rw + second.rw > 0;
  }

  /** Refuses every waiting writer. */
  refuseWriters(fault: VkmemError): void {
    this.#refuse(
      [...this.#queue].filter(({ access }) => access === 'rw'),
      fault,
    );
  }

  /** Ends the lock: refuses all waiters, and all later calls. */
  end(fault: () => VkmemError): void {
    this.#ended ??= fault;
    if (this.#queue.size > 0) this.#refuse([...this.#queue], fault());
  }

  /** Refuses those of the waiters that still wait. */
  #refuse(waiters: readonly Waiter[], fault: unknown): void {
    let refused = 0;
    for (const waiter of waiters) {
      if (!this.#dequeue(waiter)) continue;
      waiter.reject(fault);
      refused += 1;
    }
    if (refused > 0) this.#passOn();
  }

  #enqueue(waiter: Waiter): void {
    const { holder, access } = waiter;
    waiter.place = this.#queue.push(waiter);
    const waits = this.#waits.get(holder) ?? { rw: new Set(), ro: new Set() };
    waits[access].add(waiter);
    this.#waits.set(holder, waits);
    if (this.#upgrades(holder, access)) this.#upgrading.add(holder);
    if (this.#covers(holder, access)) this.#gained.add(holder);
  }

  /** @returns false if it does not wait any more. */
  #dequeue(waiter: Waiter): boolean {
    const { holder, access, place } = waiter;
    if (!place || !this.#queue.remove(place)) return false;
    const waits = this.#waits.get(holder);
    waits?.[access].delete(waiter);
    if (waits?.rw.size === 0) this.#upgrading.delete(holder);
    if (waits && waits.rw.size + waits.ro.size === 0) {
      this.#waits.delete(holder);
      this.#gained.delete(holder);
    }
    return true;
  }

  /** Whether this access must queue. */
  #queues(access: AccessName): boolean {
    return access === 'rw' || this.mode === 'EXCLUSIVE';
  }

  /** Whether the holder already has the lock with at least this access. */
  #covers(holder: Holder, access: AccessName): boolean {
    const held = this.#held.get(holder);
    return held !== undefined && (held.rw > 0 || (access === 'ro' && held.ro > 0));
  }

  /** Whether no other holder excludes this access. */
  #isFree(holder: Holder, access: AccessName): boolean {
    if (this.#writer !== undefined && this.#writer !== holder) return !this.#queues(access);
    if (access === 'ro' || this.mode === 'ONE_WRITER') return true;
    return this.#held.size === (this.#held.has(holder) ? 1 : 0);
  }

  /** Whether the holder reads, so that it excludes all writers, and asks to write. */
  #upgrades(holder: Holder, access: AccessName): boolean {
    return this.mode === 'EXCLUSIVE' && access === 'rw' && this.#held.has(holder);
  }

  #acquire(holder: Holder, access: AccessName): LockRef {
    const held = this.#held.get(holder) ?? { rw: 0, ro: 0 };
    held[access] += 1;
    this.#held.set(holder, held);
    if (access === 'rw') {
      this.#writer = holder;
      this.#writing.add(holder);
    }
    const waits = this.#waits.get(holder);
    if (waits) this.#gained.add(holder);
    if (waits && waits.rw.size > 0 && this.#upgrades(holder, 'rw')) this.#upgrading.add(holder);
    let dropped = false;
    return {
      retain: () => this.#acquire(holder, access),
      release: () => {
        if (dropped) return;
        dropped = true;
        this.#release(holder, held, access);
      },
    };
  }

  #release(holder: Holder, held: Held, access: AccessName): void {
    held[access] -= 1;
    if (held[access] > 0) return;
    if (held.rw === 0) this.#writing.delete(holder);
    if (held.rw + held.ro === 0) {
      this.#held.delete(holder);
      this.#upgrading.delete(holder);
    }
    // Another holder writes only after inherit(), while both hold the lock.
    if (this.#writer === holder && held.rw === 0) [this.#writer] = this.#writing;
    this.#passOn();
  }

  /** Serves all waiters that can acquire the lock now. */
  #passOn(): void {
    do {
      for (let next = this.#next(); next; next = this.#next()) {
        this.#dequeue(next);
        next.resolve(this.#acquire(next.holder, next.access));
      }
    } while (this.#refuseStuck());
  }

  #next(): Waiter | undefined {
    const covered = this.#firstCovered();
    if (covered) return covered;
    const { first } = this.#queue;
    if (first && this.#isFree(first.holder, first.access)) return first;
    const upgrade = this.#firstUpgrade();
    return upgrade && this.#isFree(upgrade.holder, upgrade.access) ? upgrade : undefined;
  }

  /** The earliest waiter whose holder already has the lock with at least this access. */
  #firstCovered(): Waiter | undefined {
    let first: Waiter | undefined;
    for (const holder of this.#gained) {
      const { rw, ro } = this.#waits.get(holder) ?? {};
      const covered = earlier(
        this.#covers(holder, 'rw') ? firstOf(rw) : undefined,
        this.#covers(holder, 'ro') ? firstOf(ro) : undefined,
      );
      if (!covered) this.#gained.delete(holder);
      first = earlier(first, covered);
    }
    return first;
  }

  /** The earliest waiter that upgrades. */
  #firstUpgrade(): Waiter | undefined {
    let first: Waiter | undefined;
    for (const holder of this.#upgrading) first = earlier(first, firstOf(this.#waits.get(holder)?.rw));
    return first;
  }

  /** Refuses waiters that upgrade, except those of the first holder. @returns whether there were any. */
  #refuseStuck(): boolean {
    if (this.#upgrading.size < 2) return false;
    const first = this.#firstUpgrade();
    const stuck = [...this.#upgrading]
      .filter((holder) => holder !== first?.holder)
      .flatMap((holder) => [...(this.#waits.get(holder)?.rw ?? [])])
      .sort((one, other) => one.arrival - other.arrival);
    const fault = new VkmemError(
      'BUSY',
      'Another reader already waits for write access; release the read-only grant and claim again.',
    );
    for (const waiter of stuck) {
      this.#dequeue(waiter);
      waiter.reject(fault);
    }
    return true;
  }
}

const firstOf = (waiters: ReadonlySet<Waiter> | undefined): Waiter | undefined =>
  waiters?.values().next().value;

function earlier(one: Waiter | undefined, other: Waiter | undefined): Waiter | undefined {
  if (!one || !other) return one ?? other;
  return one.arrival < other.arrival ? one : other;
}
