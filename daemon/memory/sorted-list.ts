/**
 * A list that is always sorted, so that a page of it is found by a position, by a binary search, and not by
 * sorting.
 *
 * A position is what the order compares, such as an id. It stays valid when its item is removed. The items are
 * in chunks, so that adding or removing one moves at most MAX_CHUNK others, however long the list is.
 */
const MAX_CHUNK = 512;

export class SortedList<P, T extends P> implements Iterable<T> {
  /** None is empty. */
  readonly #chunks: T[][] = [];
  readonly #compare: (one: P, other: P) => number;
  #size = 0;

  /** @param compare two positions, as for Array.sort(); 0 only for the same item. */
  constructor(compare: (one: P, other: P) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#size;
  }

  get last(): T | undefined {
    return this.#chunks.at(-1)?.at(-1);
  }

  add(item: T): void {
    this.#size += 1;
    const at = Math.min(this.#chunkFrom(item), this.#chunks.length - 1);
    const chunk = this.#chunks[at];
    if (!chunk) {
      this.#chunks.push([item]);
      return;
    }
    chunk.splice(this.#indexAfter(chunk, item), 0, item);
    if (chunk.length > MAX_CHUNK) this.#chunks.splice(at + 1, 0, chunk.splice(MAX_CHUNK / 2));
  }

  /** Removes an item; does nothing if it is not in the list. */
  remove(item: T): void {
    const at = this.#chunkFrom(item);
    const chunk = this.#chunks[at];
    if (!chunk) return;
    const index = this.#indexAfter(chunk, item) - 1;
    if (chunk[index] !== item) return;
    this.#size -= 1;
    chunk.splice(index, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** At most `max` items after a position; the first ones if there is none. */
  after(position: P | undefined, max: number): T[] {
    const found: T[] = [];
    let at = position === undefined ? 0 : this.#chunkFrom(position);
    let chunk = this.#chunks[at];
    let index = chunk && position !== undefined ? this.#indexAfter(chunk, position) : 0;
    while (chunk && found.length < max) {
      for (const item of chunk.slice(index, index + max - found.length)) found.push(item);
      at += 1;
      chunk = this.#chunks[at];
      index = 0;
    }
    return found;
  }

  /** The items as they are now, in a list of the caller's own. */
  toArray(): T[] {
    return this.#chunks.flat();
  }

  [Symbol.iterator](): Iterator<T> {
    return this.toArray().values();
  }

  /** The index of the first chunk that does not end before the position. */
  #chunkFrom(position: P): number {
    return firstIndex(this.#chunks, (chunk) => this.#compare(chunk.at(-1) as T, position) >= 0);
  }

  #indexAfter(chunk: readonly T[], position: P): number {
    return firstIndex(chunk, (item) => this.#compare(item, position) > 0);
  }
}

/** The first index from which on the condition holds; the length if it holds nowhere. */
function firstIndex<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(items[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}
