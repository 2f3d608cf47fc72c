/**
 * A list that is always sorted, so that a page of it is found by a position, by a binary search, and not by
 * sorting.
 *
 * A position is what the order compares, such as an id. It stays valid when its item is removed. Adding an
 * item at the end is constant. Adding or removing it elsewhere moves the rest: 20 us of 50 000 items.
 */
export class SortedList<P, T extends P> implements Iterable<T> {
  readonly #items: T[] = [];
  readonly #compare: (one: P, other: P) => number;

  /** @param compare two positions, as for Array.sort(); 0 only for the same item. */
  constructor(compare: (one: P, other: P) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#items.length;
  }

  get last(): T | undefined {
    return this.#items.at(-1);
  }

  add(item: T): void {
    const { last } = this;
    if (last === undefined || this.#compare(last, item) < 0) this.#items.push(item);
    else this.#items.splice(this.#firstAfter(item), 0, item);
  }

  /** Removes an item; does nothing if it is not in the list. */
  remove(item: T): void {
    const at = this.#firstAfter(item) - 1;
    if (this.#items[at] === item) this.#items.splice(at, 1);
  }

  /** At most `max` items after a position; the first ones if there is none. */
  after(position: P | undefined, max: number): T[] {
    const from = position === undefined ? 0 : this.#firstAfter(position);
    return this.#items.slice(from, from + max);
  }

  /** The items as they are now, in a list of the caller's own. */
  toArray(): T[] {
    return this.#items.slice();
  }

  /** The list must not change meanwhile. */
  [Symbol.iterator](): Iterator<T> {
    return this.#items.values();
  }

  #firstAfter(position: P): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.#items[middle] as T, position) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
