/**
 * One watcher of allocations: its queue of events, and the limits of the queue.
 *
 * Each watcher has its own queue. A slow watcher delays no other: when its queue is full it is discarded, and
 * the watcher ends with an error in place of the next event. All watchers of one tenant also have a common
 * limit, beyond which the one that is furthest behind ends. A client can then watch again, and gets the
 * existing allocations.
 *
 * Allocations that existed when the watch began are not queued: the watcher reads them one by one from the list
 * of all, up to the one that was its last, and each is described when its turn comes. Events of such an
 * allocation before its turn are not sent, since its description includes them. If it was freed before its turn,
 * it is in the list no more. From its CREATED on, every event follows.
 */
import { type Decoded, VkmemError } from '@vkmemd/proto';
import type { Identity } from '../../policy/identity.js';
import type { Allocation } from '../allocation/allocation.js';
import { byAge, type Position, type Registry } from '../allocation/registry.js';
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

/** Reads allocations in the order of their age. */
export type Listed = Pick<Registry, 'after' | 'last'>;

/** The allocations that existed when the watch began and have not been read yet: those after `read` up to `last`. */
interface Existing {
  read: Position | undefined;
  readonly last: Position;
}

export class Watcher {
  readonly identity: Identity;
  readonly session: Session | undefined;
  readonly user: WatchingUser;
  readonly #listed: Listed;
  #existing: Existing | undefined;
  #waiting: WatchEvent[] = [];
  #fault: VkmemError | undefined;
  #wake: () => void = () => {};

  /** @param existing whether allocations that exist now are read. */
  constructor({ identity, session }: Caller, user: WatchingUser, listed: Listed, existing: boolean) {
    this.identity = identity;
    this.session = session;
    this.user = user;
    this.#listed = listed;
    const { last } = listed;
    if (existing && last) this.#existing = { read: undefined, last: positionOf(last) };
  }

  /** The next of the existing allocations; from now on its events follow. Undefined after the last one. */
  nextExisting(): Allocation | undefined {
    if (!this.#existing) return undefined;
    const [next] = this.#listed.after(this.#existing.read, 1);
    if (next && this.awaits(next)) {
      this.#existing.read = positionOf(next);
      return next;
    }
    this.#existing = undefined;
    return undefined;
  }

  /** Whether existing allocations are still to be read. */
  get behind(): boolean {
    return this.#existing !== undefined;
  }

  /** Whether the allocation is still to be read as an existing one: its events until then are not sent. */
  awaits(allocation: Allocation): boolean {
    if (!this.#existing) return false;
    const { read, last } = this.#existing;
    return byAge(allocation, last) <= 0 && !(read && byAge(allocation, read) <= 0);
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
    this.#existing = undefined;
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

/** Without the allocation, which may end meanwhile. */
const positionOf = ({ createdAt, serial }: Position): Position => ({ createdAt, serial });
