/**
 * The domain: everything the use cases work on, joined once by the composition root.
 *
 * allocate   makes an allocation, or makes one of a client's own memory
 * grant      hands memory to a session: claim, release
 * lifetime   free, the end of a session, draining, the end of the daemon
 * transfer   fill and copy on the device
 * publish    makes an allocation immutable
 * inspect    get, list, budget, devices
 * quota-requests   what users may have and have: shown, and changed
 * recovery   what becomes of everything when the device is lost
 * watch      the budget, whenever it changes
 * ticket-requests   tickets: make, revoke, list, claim with one
 * watch-allocations what becomes of allocations, as it happens
 * reload     the policy is read again
 * ivshmem-requests, ivshmem-join   memory offered to virtual machines: serve, list, stop, join
 * signal-requests   eventfds for two sessions
 *
 * A use case takes the domain, the caller and a request, and returns what the contract answers. None of them knows
 * which plane it was called from.
 */

import { FairScheduler, type SchedulerLimits } from '../limits/fair-scheduler.js';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Policy } from '../policy/policy.js';
import { budgetReport } from '../requests/inspect.js';
import type { Device } from '../vulkan/device.js';
import { Budget } from './accounting/budget.js';
import { Ledger } from './accounting/ledger.js';
import { Quotas } from './accounting/quotas.js';
import { Registry } from './allocation/registry.js';
import { Authority } from './authority.js';
import { ClaimQueue } from './grant/claim-queue.js';
import { GrantCount } from './grant/count.js';
import { OrphanedLocks } from './grant/orphaned-locks.js';
import { IvshmemServers } from './ivshmem/servers.js';
import { NOTHING_KEPT, type Persistence } from './persistence.js';
import { Reload } from './reload.js';
import { Sessions } from './session/session.js';
import { Signals } from './session/signals.js';
import { Tickets } from './ticket/tickets.js';
import { BudgetWatch } from './watch/watch.js';
import { AllocationWatch } from './watch/watch-allocations.js';

/** The device's queue does one transfer at a time; a second one is made ready meanwhile. */
const TRANSFERS: SchedulerLimits = { atOnce: 2, atOnceOfUser: 2, atOnceOfParty: 2, waitingOfParty: 256 };
/**
 * Memory that is made or exported. All of these limits together leave some of the addon's 16 threads for what is short;
 * a slow one of a session holds up its own, and those of one user hold up that user.
 * @param inHand no more than may have fds that are not sent yet.
 */
const allocationsOf = (inHand: number): SchedulerLimits => {
  const atOnce = Math.min(9, inHand);
  const atOnceOfUser = Math.max(1, Math.floor((atOnce * 2) / 3));
  return { atOnce, atOnceOfUser, atOnceOfParty: Math.min(2, atOnceOfUser), waitingOfParty: 256 };
};
/** Memory that is freed, which nobody can be refused. */
const FREES: SchedulerLimits = { atOnce: 4, atOnceOfUser: 3, atOnceOfParty: 2, waitingOfParty: Infinity };

/**
 * Seals that are set: writers of the memory can keep each waiting, and with it a thread and fds on its user's account. So a
 * user has few, and it takes many users who act as one to keep the others waiting.
 */
const SEALS: SchedulerLimits = { atOnce: 64, atOnceOfUser: 4, atOnceOfParty: 2, waitingOfParty: 32 };

/** Lists of what there is, which are long where there is much: one at a time, in turns of users and sessions. */
const LISTS: SchedulerLimits = { atOnce: 1, atOnceOfUser: 1, atOnceOfParty: 1, waitingOfParty: 64 };

/** What the domain tells whoever listens; never awaited, never part of a request's result. */
export interface DomainEvents {
  /** A failure that no caller is there to be told of. */
  fault(what: string, cause: unknown): void;
  /** What an operator should know of, and nothing failed. */
  note(what: string): void;
}

/** What an operator decides. */
export interface DomainSettings {
  /** Who may do what, until another one replaces it. */
  readonly policy: Policy;
  /** Reads the policy anew. */
  readonly readPolicy: () => Promise<Policy>;
  /** What there is of file descriptors. */
  readonly fds: FdBudget;
  /** What outlives this process; default: nothing. */
  readonly persistence?: Persistence | undefined;
}

export class Domain {
  readonly version: string;
  readonly device: Device;
  readonly events: DomainEvents;
  readonly ledger: Ledger;
  readonly budget: Budget;
  readonly budgetWatch: BudgetWatch;
  readonly authority: Authority;
  readonly reload: Reload;
  readonly registry: Registry;
  readonly tickets: Tickets;
  readonly allocationWatch = new AllocationWatch(this);
  readonly quotas: Quotas;
  readonly sessions: Sessions;
  readonly fds: FdBudget;
  readonly persistence: Persistence;
  readonly transfers = new FairScheduler(TRANSFERS);
  readonly allocations: FairScheduler;
  readonly frees = new FairScheduler(FREES);
  readonly seals = new FairScheduler(SEALS);
  readonly lists = new FairScheduler(LISTS);
  readonly orphanedLocks = new OrphanedLocks((session) => this.persistence.departed(session));
  readonly grantCount = new GrantCount();
  readonly ivshmem = new IvshmemServers();
  readonly signals: Signals;
  readonly claimQueue = new ClaimQueue(this.orphanedLocks);
  /** Allocate requests under way: their device memories count against the device's limit already. */
  pending = 0;
  /** Whether it was left to outlive the daemon: nothing of it ends any more, and nothing can be asked about. */
  left = false;
  #nextGrant = 1n;

  constructor(device: Device, version: string, settings: DomainSettings, events: DomainEvents) {
    this.authority = new Authority(settings.policy);
    this.reload = new Reload(this.authority, settings.readPolicy);
    this.registry = new Registry(this.authority);
    this.fds = settings.fds;
    this.signals = new Signals(settings.fds);
    this.persistence = settings.persistence ?? NOTHING_KEPT;
    this.allocations = new FairScheduler(allocationsOf(settings.fds.inHand));
    this.device = device;
    this.version = version;
    this.events = events;
    this.ledger = new Ledger(device.info.heaps.length);
    this.quotas = new Quotas(device.info.heaps, this.ledger, this.authority, events);
    this.sessions = new Sessions(this.quotas);
    this.budget = new Budget(device, this.ledger, this.authority.thresholds, events, this.quotas);
    this.budgetWatch = new BudgetWatch(() => budgetReport(this));
    this.tickets = new Tickets(
      (identity) => {
        const lease = this.quotas.of(identity).take('tickets');
        return () => lease.release();
      },
      (what) => events.note(what),
      undefined,
      this.persistence.standing,
    );
  }

  /** The ids up to this one are taken, by grants that outlived their daemon. */
  skipGrantIds(last: bigint): void {
    if (last >= this.#nextGrant) this.#nextGrant = last + 1n;
  }

  /** Ids of grants are never used again within one incarnation. */
  nextGrantId(): bigint {
    const id = this.#nextGrant;
    this.#nextGrant += 1n;
    return id;
  }
}
