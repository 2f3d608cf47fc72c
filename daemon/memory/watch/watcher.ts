/**
 * One watcher of allocations: what waits for it, and how much that may be.
 *
 * Each has a queue of its own. A slow watcher delays no other: when its queue is full it is discarded, and
 * the watcher ends with a fault in place of the next event. All watchers of one user have a limit together as
 * well, beyond which the one that is furthest behind ends. A client can watch again then, and gets what
 * exists.
 *
 * Allocations that existed when the watch began are not queued: the watcher holds references, and each is
 * described when its turn comes. Events of such an allocation before that are not sent, since its description
 * includes them; if it was freed by then, it is skipped. From its CREATED on, every event follows.
 */
import { type Decoded, VkmemError } from '@vkmemd/proto';
import type { Identity } from '../../policy/identity.js';
import type { Allocation } from '../allocation/allocation.js';
import type { Caller } from '../session/caller.js';
import type { Session } from '../session/session.js';

/** A message before it has its number in a stream; watchers share it. */
export type WatchEvent = Omit<Decoded<'WatchAllocationsResponse'>, 'sequence'>;

/** Events that wait for one watcher, and for all watchers of one user. */
const MAX_WAITING = 1024;
const MAX_WAITING_OF_USER = 8192;

/** The watchers of one user. */
export class WatchingUser {
  readonly watchers = new Set<Watcher>();
  waiting = 0;
}

export class Watcher {
  readonly identity: Identity;
  readonly session: Session | undefined;
  readonly user: WatchingUser;
  /** Allocations that existed when it began, and were not sent yet. */
  readonly #existing: Set<Allocation>;
  readonly #nextExisting: Iterator<Allocation>;
  #waiting: WatchEvent[] = [];
  #fault: VkmemError | undefined;
  #wake: () => void = () => {};

  constructor({ identity, session }: Caller, user: WatchingUser, existing: Iterable<Allocation>) {
    this.identity = identity;
    this.session = session;
    this.user = user;
    this.#existing = new Set(existing);
    this.#nextExisting = this.#existing.values();
  }

  /** The next of those that existed; from now on its events follow. */
  nextExisting(): Allocation | undefined {
    const { done, value } = this.#nextExisting.next();
    if (done) return undefined;
    this.#existing.delete(value);
    return value;
  }

  /** Whether the allocation is still to be sent as one that exists: its events until then are not sent. */
  awaits(allocation: Allocation): boolean {
    return this.#existing.has(allocation);
  }

  /** The allocation was freed: it is not sent. */
  skip(allocation: Allocation): void {
    this.#existing.delete(allocation);
  }

  /** Queues an event, or ends the watcher that is too far behind. */
  push(event: WatchEvent): void {
    if (this.#waiting.length >= MAX_WAITING) this.#fallBehind();
    if (this.user.waiting >= MAX_WAITING_OF_USER) {
      const slower = (one: Watcher, other: Watcher) =>
        other.#waiting.length > one.#waiting.length ? other : one;
      [...this.user.watchers].reduce(slower, this).#fallBehind();
    }
    if (this.#fault) return;
    this.#waiting.push(event);
    this.user.waiting += 1;
    this.#wake();
  }

  /** Removes and returns the oldest event in the queue. @throws VkmemError what it was ended with. */
  nextEvent(): WatchEvent | undefined {
    if (this.#fault) throw this.#fault;
    const event = this.#waiting.shift();
    if (event) this.user.waiting -= 1;
    return event;
  }

  /** Ends it with a fault, which the next nextEvent() throws. */
  end(fault: VkmemError): void {
    this.#fault ??= fault;
    this.clear();
    this.#wake();
  }

  /** Discards what waits. */
  clear(): void {
    this.user.waiting -= this.#waiting.length;
    this.#waiting = [];
    this.#existing.clear();
  }

  wake(): void {
    this.#wake();
  }

  /** Resolves when there may be an event. */
  woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #fallBehind(): void {
    const reason = `The watcher was ${this.#waiting.length} events behind; what exists can be asked for anew.`;
    this.end(new VkmemError('UNAVAILABLE', reason));
  }
}
