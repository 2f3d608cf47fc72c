/**
 * The domain: everything the use cases work on, joined once by the composition root.
 *
 * allocate   makes an allocation
 * grant      hands memory to a session: claim, release
 * lifetime   free, the end of a session, draining, the end of the daemon
 * transfer   fill and copy on the device
 * inspect    get, list, budget, devices
 *
 * A use case takes the domain, the caller and a request, and returns what the contract answers. None of them knows
 * which plane it was called from.
 */
import type { Device } from '../vulkan/device.js';
import { Budget } from './budget.js';
import { Ledger } from './ledger.js';
import { Registry } from './registry.js';
import { Sessions } from './session.js';
import { Turns } from './turns.js';

/** The device's queue does one transfer at a time; a second one is made ready meanwhile. */
const TRANSFERS_AT_ONCE = 2;
const TRANSFERS_WAITING = 256;

/** What the domain tells whoever listens; never awaited, never part of a request's result. */
export interface DomainEvents {
  /** A failure that no caller is there to be told of. */
  fault(what: string, cause: unknown): void;
}

export class Domain {
  readonly version: string;
  readonly device: Device;
  readonly events: DomainEvents;
  readonly ledger: Ledger;
  readonly budget: Budget;
  readonly registry = new Registry();
  readonly sessions = new Sessions();
  readonly transfers = new Turns(TRANSFERS_AT_ONCE, TRANSFERS_WAITING);
  /** Allocate requests under way: their device memories count against the device's limit already. */
  pending = 0;
  #nextGrant = 1n;

  constructor(device: Device, version: string, events: DomainEvents) {
    this.device = device;
    this.version = version;
    this.events = events;
    this.ledger = new Ledger(device.info.heaps.length);
    this.budget = new Budget(device, this.ledger);
  }

  /** Ids of grants are never used again within one incarnation. */
  nextGrantId(): bigint {
    const id = this.#nextGrant;
    this.#nextGrant += 1n;
    return id;
  }
}
