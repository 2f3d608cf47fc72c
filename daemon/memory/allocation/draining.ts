/**
 * Draining: how allocations end, and when their bytes are free.
 *
 * Every end of an allocation does the same: it is retired (it cannot be found any more, and its device memory
 * is freed), and it drains. Its grants stay until they are released. Its charge is settled only when no
 * session has a grant of it, the kernel reports no other holder of its memfd or its dma-bufs, and the fd
 * store has released it. The kernel sends no notification about holders, so a draining allocation is polled.
 * Of an OPAQUE_FD the kernel reports no holders, nor of the dma-bufs of some drivers
 * (../../vulkan/dma-buf.ts): there only the grants count, which the sessions release.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { poll } from '@vkmemd/proto';
import type { FairScheduler } from '../../limits/fair-scheduler.js';
import type { Sharer } from '../../limits/shares.js';
import type { Grants } from '../grant/grants.js';
import type { OrphanedLocks } from '../grant/orphaned-locks.js';
import type { GrantRecord } from '../grant/record.js';
import type { IvshmemServers } from '../ivshmem/servers.js';
import type { Persistence } from '../persistence.js';
import type { Reporter } from '../reporter.js';
import type { SemaphoreLifecycle } from '../semaphore/lifecycle.js';
import type { SessionClosing } from '../session/closing.js';
import type { Session } from '../session/session.js';
import type { Signals } from '../session/signals.js';
import type { Tickets } from '../ticket/tickets.js';
import type { Allocation } from './allocation.js';
import { type AllocationEvents, publishEvent } from './events.js';
import type { MadeOnce } from './made-once.js';
import type { Registry } from './registry.js';

const INTERVALS = { firstMs: 5, maxMs: 1000 };
/**
 * Maximum time that an answer waits for the fd store. After that the allocation drains, as any other that is
 * held.
 */
const MAX_WAIT_MS = 1000;

interface Collaborators {
  readonly registry: Registry;
  readonly madeOnce: MadeOnce;
  readonly grants: Grants;
  readonly signals: Signals;
  readonly semaphoreLifecycle: SemaphoreLifecycle;
  readonly orphanedLocks: OrphanedLocks;
  readonly closing: SessionClosing;
  readonly tickets: Tickets;
  readonly ivshmem: IvshmemServers;
  readonly persistence: Persistence;
  readonly allocationEvents: AllocationEvents;
  readonly frees: FairScheduler;
  readonly reporter: Reporter;
}

export class Draining {
  readonly #with: Collaborators;
  /** Set when the daemon stops: from then on nothing is settled. */
  #stopped = false;
  /** The polls of allocations that are still held. */
  readonly #polls = new Set<Disposable>();
  /** Allocations whose grants of sleeping sessions are being dropped. */
  readonly #dropping = new Set<Allocation>();

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /**
   * Retires an allocation. If two ends coincide (a request fails because its session has just ended), the
   * second waits for the first.
   * @returns whether its bytes are free already.
   */
  async free(allocation: Allocation): Promise<boolean> {
    const { registry, madeOnce, tickets, ivshmem, orphanedLocks, persistence, allocationEvents } = this.#with;
    const live = allocation.state === 'LIVE';
    if (live) registry.retire(allocation);
    madeOnce.remove(allocation);
    tickets.endOf(allocation);
    ivshmem.endOf(allocation);
    const retired = this.#retire(allocation);
    orphanedLocks.release(allocation);
    if (live) {
      persistence.draining(allocation);
      publishEvent(allocationEvents, 'DRAINING', allocation);
    }
    await retired;
    if (await this.#settleSoon(allocation)) return true;
    this.#poll(allocation);
    return false;
  }

  /** Drops a grant, and settles its allocation if no grant is left. */
  release(grant: GrantRecord): void {
    this.#with.grants.drop(grant);
    if (grant.allocation.grants === 0) this.settle(grant.allocation);
  }

  /** As release(), of many grants, in slices. @param which those of them that are released. */
  releaseAll(
    tenant: Sharer,
    grants: Iterable<GrantRecord>,
    which?: (grant: GrantRecord) => boolean,
  ): Promise<void> {
    return this.#with.grants.dropAll(tenant, grants, (allocation) => void this.settle(allocation), which);
  }

  /**
   * Drops the grants of sleeping sessions that the kernel reports as no longer held, and closes sessions that
   * have nothing left after that. Then settles a retired allocation that has no holder, once its fds are closed
   * here and in the fd store.
   * @returns whether its bytes are free.
   */
  settle(allocation: Allocation): boolean {
    if (allocation.charge.state === 'settled') return true;
    if (!allocation.retired || allocation.leaving || this.#stopped) return false;
    this.#dropUnheld(allocation);
    if (allocation.held) return false;
    // The store first: closing the last fd frees the pages, which takes 130 ms for each GiB.
    const close = () => allocation.memory.closeHandles();
    const closed = this.#with.persistence.gone(allocation)?.then(close) ?? close();
    allocation.leaving = closed?.then(() => this.#settled(allocation));
    if (allocation.leaving) return false;
    this.#settled(allocation);
    return true;
  }

  /**
   * The daemon stops, and everything survives it: frees no allocation, and only releases this process's
   * handles. What drains continues to drain in the next process.
   */
  async persistEverything(): Promise<void> {
    this.#stopPolling();
    const { all } = this.#with.registry;
    await this.#reported(
      all.map(({ memory }) => memory.freeDevice()),
      'the device memory of an allocation could not be released while the daemon stopped',
    );
    await Promise.all(all.map(({ memory }) => memory.closeHandles()));
  }

  /** Frees everything, held or not: the daemon stops, and no plane serves any more. */
  async freeEverything(): Promise<void> {
    const { all } = this.#with.registry;
    await this.#reported(
      all.map((each) => (each.state === 'LIVE' ? this.free(each) : this.#retire(each))),
      'an allocation could not be freed while the daemon stopped',
    );
    this.#stopPolling();
    await Promise.all(all.map(({ memory }) => memory.closeHandles()));
  }

  #poll(allocation: Allocation): void {
    if (this.#stopped) return;
    const polling = poll(INTERVALS, () => {
      const over = !!allocation.leaving || this.settle(allocation);
      if (over) this.#polls.delete(polling);
      return over;
    });
    this.#polls.add(polling);
  }

  #stopPolling(): void {
    this.#stopped = true;
    for (const polling of this.#polls) polling[Symbol.dispose]();
    this.#polls.clear();
  }

  /**
   * Frees of one owner take turns with those of others, so that slow frees in a driver leave threads for
   * other owners.
   */
  #retire(allocation: Allocation): Promise<void> {
    const { owner, tenant } = allocation.terms;
    const party = { tenant, session: owner?.id };
    return allocation.retire((work) => this.#with.frees.run(party, work));
  }

  /** As settle(), but waits up to MAX_WAIT_MS until its fds are closed. */
  async #settleSoon(allocation: Allocation): Promise<boolean> {
    if (this.settle(allocation)) return true;
    if (!allocation.leaving) return false;
    const patience = new AbortController();
    const waited = sleep(MAX_WAIT_MS, undefined, { signal: patience.signal, ref: false });
    await Promise.race([allocation.leaving, waited]);
    patience.abort();
    waited.catch(() => {}); // rejected by abort()
    return allocation.charge.state === 'settled';
  }

  #settled(allocation: Allocation): void {
    allocation.charge.settle();
    this.#with.registry.remove(allocation);
    publishEvent(this.#with.allocationEvents, 'FREED', allocation);
  }

  /**
   * A sleeping session cannot report which fds its process has closed since the daemon ended. For a memfd or
   * a dma-buf the kernel may report whether another process still holds it.
   */
  #dropUnheld(allocation: Allocation): void {
    if (this.#dropping.has(allocation)) return;
    const { grants } = this.#with;
    const asleep = [...grants.holdersOf(allocation)].filter(({ session }) => session.sleeping);
    const seen = ({ kind }: GrantRecord) => allocation.memory.seesHolders(kind);
    if (!asleep.some((each) => some(each.grants, seen)) || allocation.heldElsewhere() !== false) return;
    this.#dropping.add(allocation);
    const drops = asleep.map(async ({ session, grants: own }) => {
      await grants.dropAll(session.identity.tenant, own, undefined, seen);
      await this.#closeIdle(session);
    });
    void Promise.all(drops).then(() => this.#dropping.delete(allocation));
  }

  async #closeIdle(session: Session): Promise<void> {
    if (!this.isIdle(session) || session.ended) return;
    await this.#with.closing.close(session, (allocation) => void this.settle(allocation));
  }

  /** Whether the session has nothing that its process could reconnect for. */
  isIdle(session: Session): boolean {
    const { grants, signals, semaphoreLifecycle, registry, madeOnce } = this.#with;
    const held = grants.sizeOf(session) + signals.sizeOf(session) + semaphoreLifecycle.sizeOf(session);
    return held + registry.ownedBy(session).size + madeOnce.sizeOf(session) === 0;
  }

  async #reported(ends: readonly Promise<unknown>[], what: string): Promise<void> {
    for (const end of await Promise.allSettled(ends)) {
      if (end.status === 'rejected') this.#with.reporter.fault(what, end.reason);
    }
  }
}

function some<T>(items: Iterable<T>, holds: (item: T) => boolean): boolean {
  for (const item of items) if (holds(item)) return true;
  return false;
}
