/**
 * Watching allocations: every event, in order, to everybody who watches and may see the allocation at that moment.
 *
 * The domain's events are listened to while anybody watches (allocation-events.ts), and described once for all. What
 * waits for whom, and what becomes of one who does not take it, is in watcher.ts. A watcher whose call named a session
 * ends with that session.
 */
import { accessToWire, type Decoded, kindToWire, timestamp, VkmemError } from '@vkmemd/proto';
import type { Allocation } from '../allocation/allocation.js';
import { type AllocationEvent, onAllocationEvent } from '../allocation/events.js';
import type { Domain } from '../domain.js';
import type { Caller } from '../session/caller.js';
import { onSessionEnd } from '../session/events.js';
import type { Session } from '../session/session.js';
import { type WatchEvent, Watcher, WatchingUser } from './watcher.js';

type Message = Decoded<'WatchAllocationsResponse'>;

const MAX_WATCHERS = 64;

export class AllocationWatch {
  readonly #domain: Domain;
  readonly #users = new Map<number, WatchingUser>();
  /** While anybody watches: what ends the listening. */
  #listening: (() => void)[] = [];

  constructor(domain: Domain) {
    this.#domain = domain;
  }

  /** How many watch. */
  get size(): number {
    return [...this.#users.values()].reduce((sum, { watchers }) => sum + watchers.size, 0);
  }

  /**
   * What becomes of the allocations that the caller may see, until the signal is aborted.
   * @param existing whether it begins with those that exist.
   * @throws VkmemError UNAVAILABLE where the user has MAX_WATCHERS already, or this one fell behind; SESSION_INVALID
   *   when the caller's session has ended; the signal's reason when that is aborted.
   */
  async *follow(caller: Caller, existing: boolean, signal: AbortSignal): AsyncGenerator<Message, never> {
    const watcher = this.#join(caller, existing);
    const wake = () => watcher.wake();
    signal.addEventListener('abort', wake);
    try {
      for (let sequence = 1n; ; sequence += 1n) {
        yield { sequence, ...(await this.#next(watcher, signal)) };
      }
    } finally {
      signal.removeEventListener('abort', wake);
      this.#leave(watcher);
    }
  }

  async #next(watcher: Watcher, signal: AbortSignal): Promise<WatchEvent> {
    for (;;) {
      signal.throwIfAborted();
      const told = this.#existing(watcher) ?? watcher.take();
      if (told) return told;
      await watcher.woken();
    }
  }

  #existing(watcher: Watcher): WatchEvent | undefined {
    for (;;) {
      const allocation = watcher.takeExisting();
      if (!allocation) return undefined;
      if (this.#sees(watcher, allocation)) {
        return describe({ event: 'CREATED', at: Date.now(), allocation });
      }
    }
  }

  #join(caller: Caller, existing: boolean): Watcher {
    const { identity, session } = caller;
    const user = this.#users.get(identity.uid) ?? new WatchingUser();
    if (user.watchers.size >= MAX_WATCHERS) {
      throw new VkmemError('UNAVAILABLE', `User ${identity.uid} watches ${MAX_WATCHERS} times already.`);
    }
    if (session?.ended) throw sessionEnded();
    const seen = existing ? this.#domain.registry.visibleTo(identity) : [];
    const watcher = new Watcher(caller, user, seen);
    this.#users.set(identity.uid, user);
    user.watchers.add(watcher);
    if (this.#listening.length === 0) {
      this.#listening = [
        onAllocationEvent((event) => this.#tell(event)),
        onSessionEnd(({ session }) => this.#endOf(session)),
      ];
    }
    return watcher;
  }

  #leave(watcher: Watcher): void {
    const { user, identity } = watcher;
    watcher.forget();
    user.watchers.delete(watcher);
    if (user.watchers.size === 0) this.#users.delete(identity.uid);
    if (this.#users.size > 0) return;
    for (const stop of this.#listening.splice(0)) stop();
  }

  #sees({ identity }: Watcher, { terms }: Allocation): boolean {
    return this.#domain.authority.may(identity, 'see', terms);
  }

  #tell(event: AllocationEvent): void {
    if (event.domain !== this.#domain) return;
    const { allocation } = event;
    let told: WatchEvent | undefined;
    for (const { watchers } of this.#users.values()) {
      for (const watcher of watchers) {
        if (watcher.awaits(allocation)) {
          if (event.event === 'FREED') watcher.skip(allocation);
        } else if (this.#sees(watcher, allocation)) {
          told ??= describe(event);
          watcher.push(told);
        }
      }
    }
  }

  #endOf(session: Session): void {
    for (const watcher of this.#users.get(session.identity.uid)?.watchers ?? []) {
      if (watcher.session === session) watcher.end(sessionEnded());
    }
  }
}

const sessionEnded = (): VkmemError => new VkmemError('SESSION_INVALID', 'The session has ended.');

function describe({ event, at, allocation, given }: Omit<AllocationEvent, 'domain'>): WatchEvent {
  return {
    event: `ALLOCATION_EVENT_${event}`,
    at: timestamp(at),
    allocation: allocation.describe(),
    grantId: given?.grant.id ?? 0n,
    sessionId: given?.grant.session.id ?? 0n,
    kind: given ? kindToWire(given.grant.kind) : 'KIND_UNSPECIFIED',
    access: given ? accessToWire(given.access) : 'ACCESS_UNSPECIFIED',
  };
}

/**
 * Use case: watch allocations. Like watching the budget it answers again and again, until the signal is aborted.
 * @throws VkmemError as AllocationWatch.follow.
 */
export function watchAllocations(
  domain: Domain,
  caller: Caller,
  request: Decoded<'WatchAllocationsRequest'>,
  signal: AbortSignal,
): AsyncIterable<Message> {
  return domain.allocationWatch.follow(caller, request.includeExisting, signal);
}
