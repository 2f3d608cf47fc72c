/**
 * The core: the objects that requests work on, created and connected once for one daemon. It is a plain
 * record without behaviour of its own. Requests and planes take the members that they use.
 */
import { FairScheduler, type SchedulerLimits } from './limits/fair-scheduler.js';
import type { FdBudget } from './limits/fd-budget.js';
import { HostMemory } from './limits/host-memory.js';
import type { MappingBudget } from './limits/mapping-budget.js';
import { Budget } from './memory/accounting/budget.js';
import { type HostLimits, HostRoom } from './memory/accounting/host-room.js';
import { Ledger } from './memory/accounting/ledger.js';
import { Quotas } from './memory/accounting/quotas.js';
import { BudgetReports } from './memory/accounting/report.js';
import { Creation } from './memory/allocation/creation.js';
import { Draining } from './memory/allocation/draining.js';
import type { AllocationEvent } from './memory/allocation/events.js';
import { MadeOnce } from './memory/allocation/made-once.js';
import { Registry } from './memory/allocation/registry.js';
import type { Authority } from './memory/authority.js';
import { eventChannel } from './memory/event-channel.js';
import { ClaimQueue } from './memory/grant/claim-queue.js';
import { Grants } from './memory/grant/grants.js';
import { OrphanedLocks } from './memory/grant/orphaned-locks.js';
import { IvshmemJoining } from './memory/ivshmem/joining.js';
import { IvshmemServers, type IvshmemSockets } from './memory/ivshmem/servers.js';
import { NOT_PERSISTED, type Persistence } from './memory/persistence.js';
import { Reload, type ReloadFailure } from './memory/reload.js';
import type { Reporter } from './memory/reporter.js';
import { SemaphoreLifecycle } from './memory/semaphore/lifecycle.js';
import { Semaphores } from './memory/semaphore/semaphores.js';
import { SemaphoreWaits } from './memory/semaphore/waits.js';
import { SessionClosing } from './memory/session/closing.js';
import type { SessionEvent } from './memory/session/events.js';
import { IdentifiedProcesses } from './memory/session/identified-processes.js';
import { SessionLifecycle } from './memory/session/lifecycle.js';
import { Sessions } from './memory/session/session.js';
import { Signals } from './memory/session/signals.js';
import { Tickets } from './memory/ticket/tickets.js';
import { BudgetWatch } from './memory/watch/watch.js';
import { AllocationWatch } from './memory/watch/watch-allocations.js';
import type { Policy } from './policy/policy.js';
import { identityOf } from './policy/unit.js';
import { type RequestEvent, reportAnswer } from './requests/events.js';
import type { Device } from './vulkan/device.js';

/** The device's queue runs one transfer at a time; a second one is prepared meanwhile. */
const TRANSFERS: SchedulerLimits = { atOnce: 2, atOnceOfUser: 2, atOnceOfParty: 2, waitingOfParty: 256 };
/**
 * Allocations and exports. Together with transfers and frees they leave at least one of the Vulkan addon's 16
 * threads free for short calls. A slow operation delays only its own session; the operations of one user
 * delay only that user.
 * @param inHand Maximum number of requests that may have fds that are not sent yet (limits/fd-budget.ts).
 */
const allocationsOf = (inHand: number): SchedulerLimits => {
  const atOnce = Math.min(9, inHand);
  const atOnceOfUser = Math.max(1, Math.floor((atOnce * 2) / 3));
  return { atOnce, atOnceOfUser, atOnceOfParty: Math.min(2, atOnceOfUser), waitingOfParty: 256 };
};
/** Frees of memory. They are never refused, so the queue has no limit. */
const FREES: SchedulerLimits = { atOnce: 4, atOnceOfUser: 3, atOnceOfParty: 2, waitingOfParty: Infinity };
/**
 * Seals that are being set. A process that writes to the memory can delay the seal, which occupies a thread
 * and fds of the user. Each user may therefore set only a few at once, so only many users together could use
 * up the limit for all.
 */
const SEALS: SchedulerLimits = { atOnce: 64, atOnceOfUser: 4, atOnceOfParty: 2, waitingOfParty: 32 };
/** Lists, whose cost grows with the number of entries: one at a time, users and sessions taking turns. */
const LISTS: SchedulerLimits = { atOnce: 1, atOnceOfUser: 1, atOnceOfParty: 1, waitingOfParty: 64 };

/** The parts that the core is created from. */
export interface CoreParts {
  readonly version: string;
  readonly device: Device;
  readonly authority: Authority;
  /** Why the policy in force is not that of the files. */
  readonly policyFailure?: ReloadFailure | undefined;
  /** Reads the policy again, for a reload. */
  readonly readPolicy: () => Promise<Policy>;
  readonly fds: FdBudget;
  readonly mappings: MappingBudget;
  /** Default: the limits of this process. */
  readonly hostMemory?: HostLimits | undefined;
  /** Persists what must outlive this process. Default: nothing is persisted. */
  readonly persistence?: Persistence | undefined;
  /** Creates the sockets of ivshmem servers. */
  readonly sockets: IvshmemSockets;
  readonly reporter: Reporter;
}

export type Core = ReturnType<typeof makeCore>;

export function makeCore(parts: CoreParts) {
  const { version, device, authority, fds, mappings, sockets, reporter } = parts;
  const { persistence = NOT_PERSISTED } = parts;
  const allocationEvents = eventChannel<AllocationEvent>('allocation');
  const sessionEvents = eventChannel<SessionEvent>('session');
  const requestEvents = eventChannel<RequestEvent>('request');
  const transfers = new FairScheduler(TRANSFERS);
  const allocations = new FairScheduler(allocationsOf(fds.inHand));
  const frees = new FairScheduler(FREES);
  const seals = new FairScheduler(SEALS);
  const lists = new FairScheduler(LISTS);

  const ledger = new Ledger(device.info.heaps.length);
  const quotas = new Quotas(device.info.heaps, ledger, authority, reporter);
  const room = new HostRoom(parts.hostMemory ?? new HostMemory(), ledger, device.info);
  const budget = new Budget(device, ledger, authority.thresholds, reporter, quotas, room);
  const registry = new Registry(authority);
  const madeOnce = new MadeOnce();
  const sessions = new Sessions(quotas, () => authority.policy.limits.sessions);
  const identifiedProcesses = new IdentifiedProcesses();
  const signals = new Signals(fds, persistence.signals);
  const tickets = new Tickets(
    (identity) => quotas.of(identity).take('tickets'),
    (what) => reporter.note(what),
    undefined,
    persistence.journal,
  );
  const grants = new Grants({ device, authority, persistence, allocationEvents });
  const orphanedLocks = new OrphanedLocks(grants, (session) => persistence.locksReleased(session));
  const claimQueue = new ClaimQueue(orphanedLocks);
  const ivshmem = new IvshmemServers(sockets, persistence);
  const semaphores = new Semaphores(authority, fds);
  const semaphoreWaits = new SemaphoreWaits(device);
  const semaphoreLifecycle = new SemaphoreLifecycle({
    ...{ device, authority, semaphores, semaphoreWaits, tickets, allocations, persistence, reporter },
  });
  const closing = new SessionClosing({
    ...{
      sessions,
      sessionEvents,
      orphanedLocks,
      claimQueue,
      signals,
      semaphoreLifecycle,
      grants,
      persistence,
    },
  });
  const draining = new Draining({
    ...{ registry, madeOnce, grants, signals, semaphoreLifecycle, orphanedLocks, closing, tickets, ivshmem },
    ...{ persistence, allocationEvents, frees, reporter },
  });
  const lifecycle = new SessionLifecycle({
    ...{ authority, sessions, sessionEvents, closing, registry, madeOnce, draining, persistence, reporter },
  });
  const creation = new Creation({
    ...{ device, authority, fds, mappings, budget, quotas, registry, madeOnce, grants, draining },
    ...{ persistence, allocationEvents, allocations },
  });
  const joining = new IvshmemJoining({
    ...{ servers: ivshmem, authority, fds, grants, lifecycle, persistence, reporter },
    identityOf: (peer) => identityOf(peer, authority.policy),
    identifiedProcesses,
    onOutcome: (what, code, asker) => reportAnswer(requestEvents, 'ivshmem', what, code, asker),
  });
  const reports = new BudgetReports(budget, { sessions, registry, grants, device, semaphores });
  const budgetWatch = new BudgetWatch(() => reports.now());
  const allocationWatch = new AllocationWatch({ authority, registry, allocationEvents, sessionEvents });
  const reload = new Reload(authority, parts.readPolicy, parts.policyFailure);

  return {
    ...{ version, device, authority, reload, fds, mappings, persistence, reporter },
    ...{ allocationEvents, sessionEvents, requestEvents },
    ...{ transfers, allocations, frees, seals, lists },
    ...{ ledger, quotas, budget, reports, registry, madeOnce, creation, draining },
    ...{ sessions, identifiedProcesses, lifecycle, signals, tickets, grants, orphanedLocks, claimQueue },
    ...{ ivshmem, joining, budgetWatch, allocationWatch },
    ...{ semaphores, semaphoreWaits, semaphoreLifecycle },
  };
}
