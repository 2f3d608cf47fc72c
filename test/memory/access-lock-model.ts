/**
 * A plain model of the access lock (daemon/memory/grant/access-lock.ts): one list of waiters, which each
 * operation searches from its beginning. Slow with many waiters, and easy to compare with the documented order.
 */
import { type AccessName, type SharingName, VkmemError } from '@vkmemd/proto';
import type { Holder, LockRef, Wait } from 'vkmemd/dist/memory/grant/access-lock.js';

interface Waiter {
  readonly holder: Holder;
  readonly access: AccessName;
  readonly resolve: (lock: LockRef) => void;
  readonly reject: (fault: unknown) => void;
}

/** How many references one holder has, by access. */
type Held = Record<AccessName, number>;

const UNBOUNDED: LockRef = { retain: () => UNBOUNDED, release: () => {} };

export class LockModel {
  readonly mode: SharingName;
  readonly #held = new Map<Holder, Held>();
  #queue: Waiter[] = [];
  #writer: Holder | undefined;
  #ended: VkmemError | undefined;

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
    return this.#queue.length;
  }

  /**
   * Acquires the lock if it is free and no earlier waiter comes first; otherwise returns undefined.
   * @throws VkmemError the fault that was passed to end().
   */
  tryAcquire(holder: Holder, access: AccessName): LockRef | undefined {
    if (this.mode === 'SHARED') return UNBOUNDED;
    if (this.#ended) throw this.#ended;
    if (this.#covers(holder, access)) return this.#acquire(holder, access);
    const first = this.#queue.length === 0 || !this.#queues(access) || this.#upgrades({ holder, access });
    return first && this.#isFree(holder, access) ? this.#acquire(holder, access) : undefined;
  }

  /**
   * Waits for the lock after tryAcquire() did not acquire it. The wait is refused with BUSY if both this
   * holder and another one read and wait to write.
   * @throws VkmemError the fault that was passed to end().
   */
  wait(holder: Holder, access: AccessName): Wait {
    if (this.#ended) throw this.#ended;
    let waiter: Waiter | undefined;
    const lock = new Promise<LockRef>((resolve, reject) => {
      waiter = { holder, access, resolve, reject };
      this.#queue.push(waiter);
    });
    this.#passOn();
    return { lock, refuse: (fault) => this.#refuse((queued) => queued === waiter, fault) };
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

  /** Refuses every waiting writer. */
  refuseWriters(fault: VkmemError): void {
    this.#refuse(({ access }) => access === 'rw', fault);
  }

  /** Ends the lock: refuses all waiters, and all later calls. */
  end(fault: () => VkmemError): void {
    this.#ended ??= fault();
    this.#refuse(() => true, this.#ended);
  }

  #refuse(which: (waiter: Waiter) => boolean, fault: unknown): void {
    const refused = this.#queue.filter(which);
    if (refused.length === 0) return;
    this.#queue = this.#queue.filter((waiter) => !refused.includes(waiter));
    for (const waiter of refused) waiter.reject(fault);
    this.#passOn();
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

  /** Whether the waiter reads, so that it excludes all writers, and waits to write. */
  #upgrades({ holder, access }: Pick<Waiter, 'holder' | 'access'>): boolean {
    return this.mode === 'EXCLUSIVE' && access === 'rw' && this.#held.has(holder);
  }

  #acquire(holder: Holder, access: AccessName): LockRef {
    const held = this.#held.get(holder) ?? { rw: 0, ro: 0 };
    held[access] += 1;
    this.#held.set(holder, held);
    if (access === 'rw') this.#writer = holder;
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
    if (held.rw + held.ro === 0) this.#held.delete(holder);
    if (this.#writer === holder && held.rw === 0) this.#writer = this.#anyWriter();
    this.#passOn();
  }

  /** Another holder that writes. There is one only after inherit(), while both hold the lock. */
  #anyWriter(): Holder | undefined {
    for (const [holder, { rw }] of this.#held) if (rw > 0) return holder;
    return undefined;
  }

  /** Serves all waiters that can acquire the lock now. */
  #passOn(): void {
    for (let next = this.#next(); next; next = this.#next()) {
      const { holder, access, resolve } = next;
      this.#queue.splice(this.#queue.indexOf(next), 1);
      resolve(this.#acquire(holder, access));
    }
    const [first, ...others] = this.#queue.filter((waiter) => this.#upgrades(waiter));
    const stuck = others.filter(({ holder }) => holder !== first?.holder);
    if (stuck.length === 0) return;
    const fault = new VkmemError(
      'BUSY',
      'Another reader already waits for write access; release the read-only grant and claim again.',
    );
    this.#refuse((waiter) => stuck.includes(waiter), fault);
  }

  #next(): Waiter | undefined {
    const covered = this.#queue.find(({ holder, access }) => this.#covers(holder, access));
    if (covered) return covered;
    const upgrade = this.#queue.find((waiter) => this.#upgrades(waiter));
    return [this.#queue[0], upgrade].find((waiter) => waiter && this.#isFree(waiter.holder, waiter.access));
  }
}
