/**
 * Shares: so much there is of a thing for everybody together, and who has how much of it.
 *
 * The last quarter is kept for users who have few: one who takes all it can get leaves the others something to begin
 * with. It is a rule for tenants that know nothing of one another, not against many users who act as one.
 */

/** Whose limit is reached. */
export type Whose = 'daemon' | 'user';

/** What was taken; given back once, later calls do nothing. */
export type GiveBack = () => void;

/** How much of the whole counts as few. */
const FEW = 1 / 16;

export class Shares {
  readonly #capacity: () => number;
  readonly #atLeastFew: number;
  readonly #taken = new Map<number, number>();
  #total = 0;

  /** @param capacity how much there is; may change. @param atLeastFew what is few, however little there is. */
  constructor(capacity: () => number, atLeastFew = 1) {
    this.#capacity = capacity;
    this.#atLeastFew = atLeastFew;
  }

  get capacity(): number {
    return Math.max(0, Math.floor(this.#capacity()));
  }

  /** What all have together. */
  get total(): number {
    return this.#total;
  }

  of(uid: number): number {
    return this.#taken.get(uid) ?? 0;
  }

  /** What the user may have while the others have what they have. */
  maxOf(uid: number): number {
    const { capacity } = this;
    const few = Math.max(this.#atLeastFew, Math.floor(capacity * FEW));
    const others = this.#total - this.of(uid);
    const beyondFew = Math.ceil((capacity * 3) / 4) - others;
    return Math.max(0, Math.min(Math.max(beyondFew, few), capacity - others));
  }

  /** Takes `count` for the user; or says whose limit that is above. */
  take(uid: number, count: number): GiveBack | Whose {
    if (this.#total + count > this.capacity) return 'daemon';
    if (this.of(uid) + count > this.maxOf(uid)) return 'user';
    return this.count(uid, count);
  }

  /** The same of what is there already: it counts, above every limit too, and nothing more is given until it is below. */
  count(uid: number, count: number): GiveBack {
    this.#add(uid, count);
    let taken = true;
    return () => {
      if (taken) this.#add(uid, -count);
      taken = false;
    };
  }

  #add(uid: number, count: number): void {
    this.#total += count;
    const sum = this.of(uid) + count;
    if (sum > 0) this.#taken.set(uid, sum);
    else this.#taken.delete(uid);
  }
}
