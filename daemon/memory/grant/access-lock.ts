/**
 * Sharing: who may hold grants of one allocation at the same time.
 *
 * SHARED sets no bounds. ONE_WRITER has at most one holder that writes, beside any number that read. EXCLUSIVE has one
 * that writes, or any number that read. A holder is a session, or a transfer while it runs. What it has is a right, held
 * as many times as it has grants; it ends when the last of them is dropped. A holder that has a right gets it again at
 * once. All others get theirs in the order in which they came, readers behind a writer that waits included, so that
 * nobody starves.
 *
 * A reader that wants to write goes before writers that came earlier, since none of them could go before it lets go. Of
 * two such readers each would wait for the other: the second is refused.
 */
import { type AccessName, type SharingName, VkmemError } from '@vkmemd/proto';

/** Who has rights; the same object, the same holder. */
export interface Holder {
  /** Of the session; 0 for none. */
  readonly id: bigint;
}

/** A right, held once. */
export interface LockRef {
  /** Holds it once more. */
  retain(): LockRef;
  /** Once; later calls do nothing. */
  drop(): void;
}

/** A place in the queue. */
export interface Wait {
  readonly hold: Promise<LockRef>;
  /** Gives the place up: `hold` is rejected. Does nothing once it has come. */
  refuse(fault: unknown): void;
}

interface Waiter {
  readonly holder: Holder;
  readonly access: AccessName;
  readonly resolve: (hold: LockRef) => void;
  readonly reject: (fault: unknown) => void;
}

/** How many times one holder has each right. */
type Held = Record<AccessName, number>;

const UNBOUNDED: LockRef = { retain: () => UNBOUNDED, drop: () => {} };

export class AccessLock {
  readonly mode: SharingName;
  readonly #held = new Map<Holder, Held>();
  #queue: Waiter[] = [];
  #writer: Holder | undefined;
  #ended: VkmemError | undefined;

  constructor(mode: SharingName) {
    this.mode = mode;
  }

  /** Who has the right to write. */
  get writer(): Holder | undefined {
    return this.#writer;
  }

  /** How many have a right. */
  get holders(): number {
    return this.#held.size;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * The right, where it can be had at once and nobody comes first.
   * @throws VkmemError the fault that end() gave.
   */
  take(holder: Holder, access: AccessName): LockRef | undefined {
    if (this.mode === 'SHARED') return UNBOUNDED;
    if (this.#ended) throw this.#ended;
    if (this.#covers(holder, access)) return this.#hold(holder, access);
    const first = this.#queue.length === 0 || !this.#queues(access) || this.#upgrades({ holder, access });
    return first && this.#isFree(holder, access) ? this.#hold(holder, access) : undefined;
  }

  /**
   * Waits for the right where take() did not give it. The wait is refused with BUSY where both this holder and another
   * one read and wait to write.
   * @throws VkmemError the fault that end() gave.
   */
  wait(holder: Holder, access: AccessName): Wait {
    if (this.#ended) throw this.#ended;
    let waiter: Waiter | undefined;
    const hold = new Promise<LockRef>((resolve, reject) => {
      waiter = { holder, access, resolve, reject };
      this.#queue.push(waiter);
    });
    this.#passOn();
    return { hold, refuse: (fault) => this.#refuse((queued) => queued === waiter, fault) };
  }

  /** The right that another holder has, for one who stands in for it and will have it dropped. */
  inherit(from: Holder, holder: Holder, access: AccessName): LockRef {
    if (!this.#covers(from, access)) throw new Error('sharing: nobody hands on a right that it has not');
    return this.#hold(holder, access);
  }

  /**
   * Whether a holder may hand on so many of its rights and keep the others, which another one then has them beside.
   * @param parting how many of each.
   */
  canPart(holder: Holder, parting: Readonly<Held>): boolean {
    const held = this.#held.get(holder);
    if (!held) return true;
    const [writes, reads] = [held.rw - parting.rw, held.ro - parting.ro];
    if (this.mode === 'ONE_WRITER') return writes === 0 || parting.rw === 0;
    return writes + reads === 0 || writes + parting.rw === 0;
  }

  /** Nobody gets the right to write any more. */
  refuseWriters(fault: VkmemError): void {
    this.#refuse(({ access }) => access === 'rw', fault);
  }

  /** Nobody gets any right any more: whoever waits is refused, and who asks from now on. */
  end(fault: VkmemError): void {
    this.#ended ??= fault;
    this.#refuse(() => true, fault);
  }

  #refuse(which: (waiter: Waiter) => boolean, fault: unknown): void {
    const refused = this.#queue.filter(which);
    if (refused.length === 0) return;
    this.#queue = this.#queue.filter((waiter) => !refused.includes(waiter));
    for (const waiter of refused) waiter.reject(fault);
    this.#passOn();
  }

  /** Whether those who want it wait for one another. */
  #queues(access: AccessName): boolean {
    return access === 'rw' || this.mode === 'EXCLUSIVE';
  }

  /** Whether the holder has it already. */
  #covers(holder: Holder, access: AccessName): boolean {
    const held = this.#held.get(holder);
    return held !== undefined && (held.rw > 0 || (access === 'ro' && held.ro > 0));
  }

  /** Whether no other holder is in the way. */
  #isFree(holder: Holder, access: AccessName): boolean {
    if (this.#writer !== undefined && this.#writer !== holder) return !this.#queues(access);
    if (access === 'ro' || this.mode === 'ONE_WRITER') return true;
    return this.#held.size === (this.#held.has(holder) ? 1 : 0);
  }

  /** Whether it reads, keeps all writers out by that, and waits to write. */
  #upgrades({ holder, access }: Pick<Waiter, 'holder' | 'access'>): boolean {
    return this.mode === 'EXCLUSIVE' && access === 'rw' && this.#held.has(holder);
  }

  #hold(holder: Holder, access: AccessName): LockRef {
    const held = this.#held.get(holder) ?? { rw: 0, ro: 0 };
    held[access] += 1;
    this.#held.set(holder, held);
    if (access === 'rw') this.#writer = holder;
    let dropped = false;
    return {
      retain: () => this.#hold(holder, access),
      drop: () => {
        if (dropped) return;
        dropped = true;
        this.#drop(holder, held, access);
      },
    };
  }

  #drop(holder: Holder, held: Held, access: AccessName): void {
    held[access] -= 1;
    if (held[access] > 0) return;
    if (held.rw + held.ro === 0) this.#held.delete(holder);
    if (this.#writer === holder && held.rw === 0) this.#writer = this.#anyWriter();
    this.#passOn();
  }

  /** Who else writes: only one that handed its right on (inherit) while it holds it too. */
  #anyWriter(): Holder | undefined {
    for (const [holder, { rw }] of this.#held) if (rw > 0) return holder;
    return undefined;
  }

  /** Lets everybody go whose turn it is. */
  #passOn(): void {
    for (let next = this.#next(); next; next = this.#next()) {
      const { holder, access, resolve } = next;
      this.#queue.splice(this.#queue.indexOf(next), 1);
      resolve(this.#hold(holder, access));
    }
    const [first, ...others] = this.#queue.filter((waiter) => this.#upgrades(waiter));
    const stuck = others.filter(({ holder }) => holder !== first?.holder);
    if (stuck.length === 0) return;
    const fault = new VkmemError('BUSY', 'Another session that reads waits to write, as this one does.');
    this.#refuse((waiter) => stuck.includes(waiter), fault);
  }

  #next(): Waiter | undefined {
    const covered = this.#queue.find(({ holder, access }) => this.#covers(holder, access));
    if (covered) return covered;
    const upgrade = this.#queue.find((waiter) => this.#upgrades(waiter));
    return [this.#queue[0], upgrade].find((waiter) => waiter && this.#isFree(waiter.holder, waiter.access));
  }
}
