/** An index: the set of items of each key, for as long as the set is not empty. */
const NOTHING: ReadonlySet<never> = new Set();

export class SetIndex<K, T> {
  readonly #sets = new Map<K, Set<T>>();

  of(key: K): ReadonlySet<T> {
    return this.#sets.get(key) ?? NOTHING;
  }

  add(key: K, item: T): void {
    const set = this.#sets.get(key);
    if (set) set.add(item);
    else this.#sets.set(key, new Set([item]));
  }

  remove(key: K, item: T): void {
    const set = this.#sets.get(key);
    set?.delete(item);
    if (set?.size === 0) this.#sets.delete(key);
  }
}
