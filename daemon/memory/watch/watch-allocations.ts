/**
 * Watching allocations: every event, in order, to every watcher that may see the allocation at that moment.
 *
 * While there are watchers, the daemon's events (allocation/events.ts) are subscribed to, and each event is
 * described once for all watchers. watcher.ts queues the events of each watcher, and ends a watcher that does
 * not read them. A watcher whose call named a session ends with that session.
 */
import { setImmediate } from 'node:timers/promises';
import {
  ACCESS_ON_WIRE,
  type Decoded,
  DisposableStack,
  KINDS_ON_WIRE,
  timestamp,
  VkmemError,
} from '@vkmemd/proto';
import { tooMany } from '../../limits/too-many.js';
import type { Allocation } from '../allocation/allocation.js';
import type { AllocationEvent, AllocationEvents } from '../allocation/events.js';
import type { Authority } from '../authority.js';
import { onEvent } from '../event-channel.js';
import type { Caller } from '../session/caller.js';
import type { SessionEvents } from '../session/events.js';
import type { Session } from '../session/session.js';
import { type Listed, type WatchEvent, Watcher, WatchingUser } from './watcher.js';

type Message = Decoded<'WatchAllocationsResponse'>;

const MAX_WATCHERS = 64;
/** Existing allocations that are looked at in one turn of the event loop: less than a millisecond. */
const SLICE = 256;

interface Collaborators {
  readonly authority: Pick<Authority, 'may'>;
  readonly registry: Listed;
  readonly allocationEvents: AllocationEvents;
  readonly sessionEvents: SessionEvents;
}

export class AllocationWatch {
  readonly #with: Collaborators;
  readonly #users = new Map<string, WatchingUser>();
  /** The subscriptions, while there are watchers. */
  #listening: Disposable | undefined;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  get size(): number {
    return [...this.#users.values()].reduce((sum, { watchers }) => sum + watchers.size, 0);
  }

  /**
   * The events of the allocations that the caller may see, until the signal is aborted.
   * @param existing whether to begin with the existing allocations.
   * @throws VkmemError UNAVAILABLE if the tenant has MAX_WATCHERS already, or this watcher fell behind;
   *   SESSION_INVALID when the caller's session has ended; the signal's reason when it is aborted.
   */
  async *follow(caller: Caller, existing: boolean, signal: AbortSignal): AsyncGenerator<Message, never> {
    const watcher = this.#add(caller, existing);
    const wake = () => watcher.wake();
    signal.addEventListener('abort', wake);
    try {
      for (let sequence = 1n; ; sequence += 1n) {
        yield { sequence, ...(await this.#next(watcher, signal)) };
      }
    } finally {
      signal.removeEventListener('abort', wake);
      this.#remove(watcher);
    }
  }

  async #next(watcher: Watcher, signal: AbortSignal): Promise<WatchEvent> {
    for (;;) {
      signal.throwIfAborted();
      const next = this.#existing(watcher) ?? (watcher.behind ? undefined : watcher.nextEvent());
      if (next) return next;
      await (watcher.behind ? setImmediate() : watcher.woken());
    }
  }

  /** The next existing allocation that the watcher may see, if one is found in this turn of the event loop. */
  #existing(watcher: Watcher): WatchEvent | undefined {
    for (let looked = 0; looked < SLICE; looked += 1) {
      const allocation = watcher.nextExisting();
      if (!allocation) return undefined;
      if (this.#sees(watcher, allocation)) {
        return describe({ event: 'CREATED', at: Date.now(), allocation });
      }
    }
    return undefined;
  }

  #add(caller: Caller, existing: boolean): Watcher {
    const { identity, session } = caller;
    const user = this.#users.get(identity.tenant.key) ?? new WatchingUser();
    if (user.watchers.size >= MAX_WATCHERS) {
      const { name } = identity.tenant;
      throw tooMany(`Tenant ${name} already has ${MAX_WATCHERS} allocation watches, which is the limit.`);
    }
    if (session?.ended) throw sessionEnded();
    const watcher = new Watcher(caller, user, this.#with.registry, existing);
    this.#users.set(identity.tenant.key, user);
    user.watchers.add(watcher);
    this.#listening ??= this.#listen();
    return watcher;
  }

  #listen(): Disposable {
    const { allocationEvents, sessionEvents } = this.#with;
    const listening = new DisposableStack();
    listening.use(onEvent(allocationEvents, (event) => this.#dispatch(event)));
    listening.use(
      onEvent(sessionEvents, ({ event, session }) => {
        if (event === 'ENDED') this.#endOf(session);
      }),
    );
    return listening;
  }

  #remove(watcher: Watcher): void {
    const { user, identity } = watcher;
    watcher.clear();
    user.watchers.delete(watcher);
    if (user.watchers.size === 0) this.#users.delete(identity.tenant.key);
    if (this.#users.size > 0) return;
    this.#listening?.[Symbol.dispose]();
    this.#listening = undefined;
  }

  #sees({ identity }: Watcher, { terms }: Allocation): boolean {
    return this.#with.authority.may(identity, 'see', terms);
  }

  #dispatch(event: AllocationEvent): void {
    const { allocation } = event;
    let described: WatchEvent | undefined;
    for (const { watchers } of this.#users.values()) {
      for (const watcher of watchers) {
        if (!watcher.awaits(allocation) && this.#sees(watcher, allocation)) {
          described ??= describe(event);
          watcher.push(described);
        }
      }
    }
  }

  #endOf(session: Session): void {
    for (const watcher of this.#users.get(session.identity.tenant.key)?.watchers ?? []) {
      if (watcher.session === session) watcher.end(sessionEnded());
    }
  }
}

const sessionEnded = (): VkmemError => new VkmemError('SESSION_INVALID', 'The session has ended.');

function describe({ event, at, allocation, grant }: AllocationEvent): WatchEvent {
  return {
    event: `ALLOCATION_EVENT_${event}`,
    at: timestamp(at),
    allocation: allocation.describe(),
    grantId: grant?.id ?? 0n,
    sessionId: grant?.session.id ?? 0n,
    kind: grant ? KINDS_ON_WIRE[grant.kind] : 'KIND_UNSPECIFIED',
    access: grant ? ACCESS_ON_WIRE[grant.access] : 'ACCESS_UNSPECIFIED',
  };
}
