/**
 * The ledger: the daemon's own account of bytes, which is the truth; the driver's figures only stand beside it.
 *
 * Every allocation has one charge. It is `reserved` while the request runs, `live` once the memory exists,
 * `draining` when its owner has given it up while somebody still holds it, and `settled` when the bytes are free.
 * A charge is posted on every account that it concerns (its heap, its owner, its owner on that heap), so that no
 * account can disagree with another. Moves are synchronous and only forward; a wrong move is a defect and throws.
 */

/** Bytes by state, on one account. */
export interface Balance {
  readonly reserved: bigint;
  readonly live: bigint;
  readonly draining: bigint;
}

type Column = keyof Balance;

class Account {
  reserved = 0n;
  live = 0n;
  draining = 0n;
  /** Bytes that were live once and are not any more, ever: grows only. */
  leftLive = 0n;

  get empty(): boolean {
    return this.reserved === 0n && this.live === 0n && this.draining === 0n;
  }

  post(column: Column, bytes: bigint): void {
    this[column] += bytes;
    if (column === 'live' && bytes < 0n) this.leftLive -= bytes;
    if (this[column] < 0n) throw new Error(`ledger: ${column} would be ${this[column]} bytes`);
  }
}

/** One user's account, in all and on each heap. */
class Owner extends Account {
  readonly heaps: readonly Account[];
  /** Those that are not settled: the user's allocations, and those on their way. */
  charges = 0;

  constructor(heaps: number) {
    super();
    this.heaps = Array.from({ length: heaps }, () => new Account());
  }
}

/** What one allocation costs, from its request to the moment its bytes are free. */
export class Charge {
  readonly bytes: bigint;
  readonly heap: number;
  readonly uid: number;
  #column: Column | 'settled' = 'reserved';
  readonly #accounts: readonly Account[];
  readonly #onSettled: (() => void)[];

  constructor(bytes: bigint, heap: number, uid: number, accounts: readonly Account[], onSettled: () => void) {
    this.bytes = bytes;
    this.heap = heap;
    this.uid = uid;
    this.#accounts = accounts;
    this.#onSettled = [onSettled];
    for (const account of accounts) account.post('reserved', bytes);
  }

  get state(): Column | 'settled' {
    return this.#column;
  }

  /** Calls it when the charge is settled, for what is to be given back with the bytes. */
  whenSettled(settled: () => void): void {
    this.#onSettled.push(settled);
  }

  /** The memory exists. */
  commit(): void {
    this.#move('reserved', 'live');
  }

  /** The owner gave it up. */
  drain(): void {
    this.#move('live', 'draining');
  }

  /** Nobody holds it, or it never came to be: the bytes are free. */
  settle(): void {
    if (this.#column === 'settled') throw new Error('ledger: a charge is settled once');
    for (const account of this.#accounts) account.post(this.#column, -this.bytes);
    this.#column = 'settled';
    for (const settled of this.#onSettled) settled();
  }

  #move(from: Column, to: Column): void {
    if (this.#column !== from) throw new Error(`ledger: ${this.#column} cannot become ${to}`);
    for (const account of this.#accounts) {
      account.post(from, -this.bytes);
      account.post(to, this.bytes);
    }
    this.#column = to;
  }
}

/** All accounts of one device. */
export class Ledger {
  readonly #heaps: readonly Account[];
  readonly #owners = new Map<number, Owner>();
  #ownerChanged: (uid: number) => void = () => {};

  /** @param heaps how many heaps the device has. */
  constructor(heaps: number) {
    this.#heaps = Array.from({ length: heaps }, () => new Account());
  }

  /** @param changed called with each user that gets its first charge, or has its last one settled. */
  watchOwners(changed: (uid: number) => void): void {
    this.#ownerChanged = changed;
  }

  /** Charges `bytes` on a heap and on its owner, as reserved. The caller has checked that they may be had. */
  charge(bytes: bigint, heap: number, uid: number): Charge {
    const owner = this.#owners.get(uid) ?? new Owner(this.#heaps.length);
    const [account, ofOwner] = [this.#heaps[heap], owner.heaps[heap]];
    if (!account || !ofOwner) throw new Error(`ledger: no heap ${heap}`);
    this.#owners.set(uid, owner);
    const accounts = [account, owner, ofOwner];
    const charge = new Charge(bytes, heap, uid, accounts, () => this.#settled(uid, owner));
    owner.charges += 1;
    if (owner.charges === 1) this.#ownerChanged(uid);
    return charge;
  }

  /** Bytes on one heap. */
  heap(index: number): Balance {
    return this.#copy(this.#heaps[index]);
  }

  /** Bytes on one heap that were live once and are not any more, ever. Two readings tell what left in between. */
  leftLive(index: number): bigint {
    return this.#heaps[index]?.leftLive ?? 0n;
  }

  /** Bytes of one user, on all heaps or on one. */
  owner(uid: number, heap?: number): Balance {
    const owner = this.#owners.get(uid);
    return this.#copy(heap === undefined ? owner : owner?.heaps[heap]);
  }

  /** Charges of one user that are not settled: its allocations, draining ones and those on their way included. */
  chargesOf(uid: number): number {
    return this.#owners.get(uid)?.charges ?? 0;
  }

  /** Users with anything on their account. */
  get owners(): readonly number[] {
    return [...this.#owners.keys()];
  }

  /** Whether nothing is charged anywhere. */
  get empty(): boolean {
    return this.#owners.size === 0 && this.#heaps.every((heap) => heap.empty);
  }

  #settled(uid: number, owner: Owner): void {
    owner.charges -= 1;
    if (owner.charges > 0) return;
    // An account that is not empty without a charge is a defect: it stays, for whoever watches owners to see.
    if (owner.empty && owner.heaps.every((heap) => heap.empty)) this.#owners.delete(uid);
    this.#ownerChanged(uid);
  }

  #copy(account: Account | undefined): Balance {
    const { reserved, live, draining } = account ?? new Account();
    return { reserved, live, draining };
  }
}
