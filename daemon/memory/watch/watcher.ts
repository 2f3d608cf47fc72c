/**
 * One watcher of allocations: what waits for it, and how much that may be.
 *
 * Each has a queue of its own. One that does not take what waits delays nobody: when its queue is full it is thrown
 * away, and the watcher is told so in place of the next event. Those of one user have a limit together as well, beyond
 * which the one that is furthest behind ends. A watcher that was ended can begin anew, with what exists then.
 *
 * What existed when it came is not queued: the watcher keeps references, and each is described when its turn comes.
 * What happens to an allocation before that is in its description, and not told; if it is gone by then, nothing is. From
 * its CREATED on, every event follows.
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
  /** What existed when it came, and was not told of yet. */
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
  takeExisting(): Allocation | undefined {
    const { done, value } = this.#nextExisting.next();
    if (done) return undefined;
    this.#existing.delete(value);
    return value;
  }

  /** Whether it will be told of the allocation as one that exists: what becomes of it until then needs no message. */
  awaits(allocation: Allocation): boolean {
    return this.#existing.has(allocation);
  }

  /** The allocation is gone: it need not be told of. */
  skip(allocation: Allocation): void {
    this.#existing.delete(allocation);
  }

  /** Puts an event where it waits, or ends whoever is too far behind. */
  push(told: WatchEvent): void {
    if (this.#waiting.length >= MAX_WAITING) this.#fallBehind();
    if (this.user.waiting >= MAX_WAITING_OF_USER) {
      const slower = (one: Watcher, other: Watcher) =>
        other.#waiting.length > one.#waiting.length ? other : one;
      [...this.user.watchers].reduce(slower, this).#fallBehind();
    }
    if (this.#fault) return;
    this.#waiting.push(told);
    this.user.waiting += 1;
    this.#wake();
  }

  /** The oldest that waits. @throws VkmemError what it was ended with. */
  take(): WatchEvent | undefined {
    if (this.#fault) throw this.#fault;
    const told = this.#waiting.shift();
    if (told) this.user.waiting -= 1;
    return told;
  }

  /** Forgets what waits; whoever takes the next gets the fault. */
  end(fault: VkmemError): void {
    this.#fault ??= fault;
    this.forget();
    this.#wake();
  }

  forget(): void {
    this.user.waiting -= this.#waiting.length;
    this.#waiting = [];
    this.#existing.clear();
  }

  wake(): void {
    this.#wake();
  }

  /** Resolves when there may be something to take. */
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
