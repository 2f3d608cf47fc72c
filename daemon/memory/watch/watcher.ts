/**
 * One watcher of allocations: its queue of events, and the limits of the queue.
 *
 * Each watcher has its own queue. A slow watcher delays no other: when its queue is full it is discarded, and
 * the watcher ends with an error in place of the next event. All watchers of one tenant also have a common
 * limit, beyond which the one that is furthest behind ends. A client can then watch again, and gets the
 * existing allocations.
 *
 * Allocations that existed when the watch began are not queued: the watcher holds references, and each
 * allocation is described when its turn comes. Events of such an allocation before its turn are not sent,
 * since its description includes them. If it was freed before its turn, it is skipped. From its CREATED on,
 * every event follows.
 */
import { type Decoded, VkmemError } from '@vkmemd/proto';
import type { Identity } from '../../policy/identity.js';
import type { Allocation } from '../allocation/allocation.js';
import type { Caller } from '../session/caller.js';
import type { Session } from '../session/session.js';

/** A message without its sequence number in a stream; watchers share it. */
export type WatchEvent = Omit<Decoded<'WatchAllocationsResponse'>, 'sequence'>;

/** Maximum number of queued events of one watcher, and of all watchers of one tenant. */
const MAX_WAITING = 1024;
const MAX_WAITING_OF_USER = 8192;

/** The watchers of one tenant. */
export class WatchingUser {
  readonly watchers = new Set<Watcher>();
  waiting = 0;
}

export class Watcher {
  readonly identity: Identity;
  readonly session: Session | undefined;
  readonly user: WatchingUser;
  /** Allocations that existed when the watch began and have not been sent yet. */
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

  /** The next of the existing allocations; from now on its events follow. */
  nextExisting(): Allocation | undefined {
    const { done, value } = this.#nextExisting.next();
    if (done) return undefined;
    this.#existing.delete(value);
    return value;
  }

  /** Whether the allocation is still to be sent as an existing one: its events until then are not sent. */
  awaits(allocation: Allocation): boolean {
    return this.#existing.has(allocation);
  }

  /** Skips an existing allocation that was freed. */
  skip(allocation: Allocation): void {
    this.#existing.delete(allocation);
  }

  /** Queues an event, or ends the watcher that is furthest behind. */
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

  /** Removes and returns the oldest event in the queue. @throws VkmemError the fault that end() set. */
  nextEvent(): WatchEvent | undefined {
    if (this.#fault) throw this.#fault;
    const event = this.#waiting.shift();
    if (event) this.user.waiting -= 1;
    return event;
  }

  /** Ends the watcher with a fault, which the next nextEvent() throws. */
  end(fault: VkmemError): void {
    this.#fault ??= fault;
    this.clear();
    this.#wake();
  }

  /** Discards the queue. */
  clear(): void {
    this.user.waiting -= this.#waiting.length;
    this.#waiting = [];
    this.#existing.clear();
  }

  /** Resolves the promise of woken(). */
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
    const reason = `The watcher was ${this.#waiting.length} events behind; start a new watch.`;
    this.end(new VkmemError('UNAVAILABLE', reason));
  }
}
