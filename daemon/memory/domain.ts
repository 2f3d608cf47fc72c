/**
 * The domain: everything the use cases work on, joined once by the composition root.
 *
 * allocate   makes an allocation, or makes one of a client's own memory
 * grant      hands memory to a session: claim, release
 * lifetime   free, the end of a session, draining, the end of the daemon
 * transfer   fill and copy on the device
 * inspect    get, list, budget, devices
 * recovery   what becomes of everything when the device is lost
 * watch      the budget, whenever it changes
 *
 * A use case takes the domain, the caller and a request, and returns what the contract answers. None of them knows
 * which plane it was called from.
 */
import type { Device } from '../vulkan/device.js';
import { Budget } from './budget.js';
import { budgetReport } from './inspect.js';
import { Ledger } from './ledger.js';
import type { Importers } from './policy.js';
import type { Thresholds } from './pressure.js';
import { Registry } from './registry.js';
import { Sessions } from './session.js';
import { type TurnLimits, Turns } from './turns.js';
import { BudgetWatch } from './watch.js';

/** The device's queue does one transfer at a time; a second one is made ready meanwhile. */
const TRANSFERS: TurnLimits = { atOnce: 2, atOnceOfUser: 2, atOnceOfParty: 2, waitingOfParty: 256 };
/**
 * Memory that is made or exported. All of these limits together leave some of the addon's 16 threads for what is short;
 * a slow one of a session holds up its own, and those of one user hold up that user.
 */
const ALLOCATIONS: TurnLimits = { atOnce: 9, atOnceOfUser: 6, atOnceOfParty: 2, waitingOfParty: 256 };
/** Memory that is freed, which nobody can be refused. */
const FREES: TurnLimits = { atOnce: 4, atOnceOfUser: 3, atOnceOfParty: 2, waitingOfParty: Infinity };

/** What the domain tells whoever listens; never awaited, never part of a request's result. */
export interface DomainEvents {
  /** A failure that no caller is there to be told of. */
  fault(what: string, cause: unknown): void;
  /** What an operator should know of, and nothing failed. */
  note(what: string): void;
}

/** What an operator decides. */
export interface DomainSettings {
  /** From how many percent used on a heap is under pressure. */
  readonly pressure: Thresholds;
  /** Who may import memory of their own. */
  readonly importers: Importers;
}

export class Domain {
  readonly version: string;
  readonly device: Device;
  readonly events: DomainEvents;
  readonly ledger: Ledger;
  readonly budget: Budget;
  readonly budgetWatch: BudgetWatch;
  readonly registry = new Registry();
  readonly sessions = new Sessions();
  readonly transfers = new Turns(TRANSFERS);
  readonly allocations = new Turns(ALLOCATIONS);
  readonly frees = new Turns(FREES);
  readonly importers: Importers;
  /** Allocate requests under way: their device memories count against the device's limit already. */
  pending = 0;
  #nextGrant = 1n;

  constructor(device: Device, version: string, settings: DomainSettings, events: DomainEvents) {
    this.importers = settings.importers;
    this.device = device;
    this.version = version;
    this.events = events;
    this.ledger = new Ledger(device.info.heaps.length);
    this.budget = new Budget(device, this.ledger, settings.pressure, events);
    this.budgetWatch = new BudgetWatch(() => budgetReport(this));
  }

  /** Ids of grants are never used again within one incarnation. */
  nextGrantId(): bigint {
    const id = this.#nextGrant;
    this.#nextGrant += 1n;
    return id;
  }
}
