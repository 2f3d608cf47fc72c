/**
 * A queue from which any item can be removed in constant time. An array copies the items behind a removed
 * one, and a Map or Set skips the places of removed items each time that its first one is read.
 */

/** An item's place in a queue. */
export interface Place<T> {
  readonly item: T;
}

interface Link<T> extends Place<T> {
  before: Link<T> | undefined;
  after: Link<T> | undefined;
  queued: boolean;
}

export class LinkedQueue<T> implements Iterable<T> {
  #first: Link<T> | undefined;
  #last: Link<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | undefined {
    return this.#first?.item;
  }

  /** Adds an item at the end. */
  push(item: T): Place<T> {
    const link: Link<T> = { item, before: this.#last, after: undefined, queued: true };
    if (this.#last) this.#last.after = link;
    else this.#first = link;
    this.#last = link;
    this.#size += 1;
    return link;
  }

  /** Adds an item before all others. */
  unshift(item: T): Place<T> {
    const link: Link<T> = { item, before: undefined, after: this.#first, queued: true };
    if (this.#first) this.#first.before = link;
    else this.#last = link;
    this.#first = link;
    this.#size += 1;
    return link;
  }

  /** Removes the first item, and returns it. */
  shift(): T | undefined {
    const first = this.#first;
    if (first) this.remove(first);
    return first?.item;
  }

  /** Removes the item of a place of this queue. @returns false if it was removed before. */
  remove(place: Place<T>): boolean {
    const link = place as Link<T>;
    if (!link.queued) return false;
    link.queued = false;
    if (link.before) link.before.after = link.after;
    else this.#first = link.after;
    if (link.after) link.after.before = link.before;
    else this.#last = link.before;
    this.#size -= 1;
    return true;
  }

  /** The items in order. Those that are removed meanwhile must be the one just read, or earlier ones. */
  *[Symbol.iterator](): Iterator<T> {
    for (let link = this.#first; link; link = link.after) yield link.item;
  }
}
