/**
 * The tickets that can be used, by the hash of their secret, by their id and by their allocation.
 *
 * Whoever brings a secret is told TICKET_INVALID, in the same words, for one that never was, is used up, expired,
 * revoked or for somebody else, and for one whose allocation is gone: nothing can be learned from it. Each of these
 * counts as a wrong guess (guesses.ts). Those that can no longer be used are dropped: used up and revoked ones and
 * those of an allocation that ends at once, expired ones within a second, by one timer for all.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Identity } from '../../policy/identity.js';
import type { Allocation } from '../allocation/allocation.js';
import { FailedTicketAttempts } from './failed-attempts.js';
import { hashOf, newSecret, Ticket, type TicketOrigin, type TicketTerms } from './ticket.js';

/** Takes one ticket from the maker's quota; what it returns gives it back. @throws VkmemError QUOTA_EXCEEDED. */
export type TakeFromQuota = (identity: Identity) => () => void;

/** Is told of each ticket that is made, used or given a use back, and of its end. */
export interface TicketJournal {
  ticketChanged(ticket: Ticket): void;
  ticketEnded(ticket: Ticket): void;
}

/** What is known of one that outlived its daemon. */
export interface KeptTicket extends TicketOrigin {
  readonly hash: string;
  readonly ownerUid: number;
  /** Milliseconds since 1970. */
  readonly expiryDate: number;
}

const NO_BOOK: TicketJournal = { ticketChanged() {}, ticketEnded() {} };

/** Between two looks for expired ones, at least and at most. */
const SHORTEST_MS = 1000;
const LONGEST_MS = 3_600_000;

interface Clocks {
  /** Milliseconds of one that never goes back, and that nobody sets. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly date: () => number;
  readonly guesses?: FailedTicketAttempts;
}

const CLOCKS: Clocks = { now: () => performance.now(), date: Date.now };

export class Tickets {
  /** Each with what gives it back to its maker's quota. */
  readonly #byId = new Map<string, { readonly ticket: Ticket; readonly giveBack: () => void }>();
  readonly #byHash = new Map<string, Ticket>();
  readonly #byAllocation = new Map<Allocation, Set<Ticket>>();
  readonly #guesses: FailedTicketAttempts;
  readonly #take: TakeFromQuota;
  readonly #book: TicketJournal;
  readonly #now: () => number;
  readonly #date: () => number;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Infinity;

  /** @param note tells an operator of wrong guesses. */
  constructor(take: TakeFromQuota, note: (what: string) => void, clocks = CLOCKS, book = NO_BOOK) {
    this.#take = take;
    this.#book = book;
    this.#guesses = clocks.guesses ?? new FailedTicketAttempts(note);
    this.#now = clocks.now;
    this.#date = clocks.date;
  }

  /** How many there are, expired ones that were not dropped yet among them. */
  get size(): number {
    return this.#byId.size;
  }

  /**
   * Makes a ticket. Its secret is returned, and known to nobody else.
   * @throws VkmemError QUOTA_EXCEEDED.
   */
  create(maker: Identity, terms: TicketTerms): { secret: string; ticket: Ticket } {
    const giveBack = this.#take(maker);
    const secret = newSecret();
    const ticket = new Ticket(terms, hashOf(secret) ?? '', maker.uid, this.#now(), this.#date());
    this.#add(ticket, giveBack);
    this.#book.ticketChanged(ticket);
    return { secret, ticket };
  }

  /** One that outlived its daemon, until the date when it was to expire. */
  restore(terms: Omit<TicketTerms, 'validMs'>, kept: KeptTicket, giveBack: () => void): void {
    const date = this.#date();
    const left = { ...terms, validMs: Math.max(0, kept.expiryDate - date) };
    this.#add(new Ticket(left, kept.hash, kept.ownerUid, this.#now(), date, kept), giveBack);
  }

  #add(ticket: Ticket, giveBack: () => void): void {
    const { allocation } = ticket.terms;
    this.#byId.set(ticket.id, { ticket, giveBack });
    this.#byHash.set(ticket.hash, ticket);
    const siblings = this.#byAllocation.get(allocation) ?? new Set();
    this.#byAllocation.set(allocation, siblings.add(ticket));
    this.#lookAt(ticket.expiresAt);
  }

  /**
   * Runs a claim with one use of the ticket that has this secret.
   * @throws VkmemError TICKET_INVALID, with retry_after_ms in its metadata where the user brought too many that are not
   *   good; whatever the claim fails with.
   */
  async redeem<T>(secret: string, identity: Identity, claim: (ticket: Ticket) => Promise<T>): Promise<T> {
    const ticket = this.guessed(identity, () => {
      const hash = hashOf(secret);
      const known = hash === undefined ? undefined : this.#byHash.get(hash);
      return known?.usable(this.#now()) && known.isFor(identity) ? known : undefined;
    });
    try {
      return await ticket.use(
        async () => claim(ticket),
        () => {
          // It may have been revoked meanwhile.
          if (this.byId(ticket.id) === ticket) this.#book.ticketChanged(ticket);
        },
      );
    } finally {
      if (ticket.usedUp) this.end(ticket);
    }
  }

  /**
   * Looks a secret up, of whatever it is, unless the user brought too many that are not good.
   * @throws VkmemError TICKET_INVALID, as redeem().
   */
  guessed<T>({ uid }: Identity, find: () => T | undefined): T {
    const wait = this.#guesses.waitOf(uid);
    const found = wait > 0 ? undefined : find();
    if (found !== undefined) return found;
    this.#guesses.count(uid);
    throw new VkmemError('TICKET_INVALID', '', wait > 0 ? { retry_after_ms: String(wait) } : {});
  }

  /** Those that could be used now, oldest first. */
  get usable(): Ticket[] {
    const now = this.#now();
    return [...this.#byId.values()].map(({ ticket }) => ticket).filter((ticket) => ticket.usable(now));
  }

  byId(id: string): Ticket | undefined {
    return this.#byId.get(id)?.ticket;
  }

  /** Whether a claim with it that had to wait may go on. @throws VkmemError TICKET_INVALID. */
  requireStanding(ticket: Ticket): void {
    if (this.byId(ticket.id) === ticket && this.#now() < ticket.expiresAt) return;
    throw new VkmemError('TICKET_INVALID');
  }

  /** The ticket cannot be used any more; a claim under way goes on. Does nothing the second time. */
  end(ticket: Ticket): void {
    const held = this.#byId.get(ticket.id);
    if (!held) return;
    this.#byId.delete(ticket.id);
    this.#byHash.delete(ticket.hash);
    const { allocation } = ticket.terms;
    const siblings = this.#byAllocation.get(allocation);
    siblings?.delete(ticket);
    if (siblings?.size === 0) this.#byAllocation.delete(allocation);
    held.giveBack();
    this.#book.ticketEnded(ticket);
    if (this.#byId.size === 0) this.#rest();
  }

  /** The allocation ends, and its tickets with it. */
  endOf(allocation: Allocation): void {
    for (const ticket of this.#byAllocation.get(allocation) ?? []) this.end(ticket);
  }

  /** Drops those that have expired. Happens by itself. */
  expire(): void {
    this.#rest();
    const now = this.#now();
    let earliest = Infinity;
    for (const { ticket } of [...this.#byId.values()]) {
      if (ticket.expiresAt <= now) this.end(ticket);
      else earliest = Math.min(earliest, ticket.expiresAt);
    }
    if (earliest < Infinity) this.#lookAt(earliest);
  }

  #lookAt(expiry: number): void {
    const now = this.#now();
    const at = Math.min(Math.max(expiry, now + SHORTEST_MS), now + LONGEST_MS);
    if (at >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = at;
    this.#timer = setTimeout(() => this.expire(), at - now).unref();
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dueAt = Infinity;
  }
}
