/**
 * Tickets: each is the right to claim one allocation, or one semaphore, for any process that has its secret.
 *
 * The secret is 128 random bits as text. The daemon stores only its SHA-256, which is enough to recognise it:
 * no attacker can try 2^128 secrets, so a slower hash is not needed. The ticket's id is random too, and does
 * not depend on the secret.
 *
 * A use is taken before a claim begins, and restored if the claim fails. So at most as many claims as there
 * are uses can be under way, and a ticket whose last use is taken ends only when that claim has succeeded.
 *
 * A secret that never existed, and one whose ticket is used up, expired, revoked, for another user, or for an
 * allocation that was freed, are refused with the same TICKET_INVALID and the same text, so the answer
 * reveals nothing. Each such attempt is counted (failed-attempts.ts). Tickets that can no longer be used are
 * removed: used up and revoked ones at once; those of a freed allocation in slices of the event loop; expired ones
 * within a second, in slices too, by one timer for all. Until then they count, but cannot be used.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  type AccessName,
  accessToWire,
  type Decoded,
  type KindName,
  kindToWire,
  timestamp,
  VkmemError,
} from '@vkmemd/proto';
import type { Sharer } from '../../limits/shares.js';
import { slices } from '../../limits/slices.js';
import type { Identity } from '../../policy/identity.js';
import { shownUid, type Tenant } from '../../policy/tenant.js';
import type { Allocation } from '../allocation/allocation.js';
import { Semaphore } from '../semaphore/semaphore.js';
import { SortedList } from '../sorted-list.js';
import { FailedTicketAttempts } from './failed-attempts.js';

/** Makes a secret recognisable in a log or a repository. */
const PREFIX = 'vkt_';
const SECRET_BYTES = 16;
const SECRET = new RegExp(`^${PREFIX}[A-Za-z0-9_-]{22}$`);

const newSecret = (): string => PREFIX + randomBytes(SECRET_BYTES).toString('base64url');

/** The stored hash of a secret; undefined for text that cannot be a secret, of any length. */
function hashOf(secret: string): string | undefined {
  return SECRET.test(secret) ? createHash('sha256').update(secret).digest('base64url') : undefined;
}

/** What a ticket is for. */
export type TicketSubject = Allocation | Semaphore;

export interface TicketTerms {
  readonly subject: TicketSubject;
  /** The kinds that may be claimed with it, with at most this access. */
  readonly kinds: readonly KindName[];
  readonly access: AccessName;
  readonly uses: number;
  readonly validMs: number;
  /** The only user that may use it; undefined for any user. */
  readonly forUid: number | undefined;
}

/** The identity and the remaining uses of a ticket that survived a restart of the daemon. */
interface TicketOrigin {
  readonly id: string;
  readonly usesLeft: number;
}

/** The stored state of a ticket that survived a restart of the daemon. */
export interface StoredTicket extends TicketOrigin {
  readonly hash: string;
  readonly tenant: Tenant;
  /** Milliseconds since 1970. */
  readonly expiryDate: number;
}

export class Ticket {
  readonly id: string;
  readonly terms: TicketTerms;
  readonly hash: string;
  /** The tenant that made it. */
  readonly tenant: Tenant;
  /**
   * On the monotonic clock, in milliseconds, so that setting the system's date does not change how long it is
   * valid.
   */
  readonly expiresAt: number;
  /**
   * The same as a date, computed when it is made, for display and for the next start. Milliseconds since
   * 1970.
   */
  readonly expiryDate: number;
  #usesLeft: number;
  #underWay = 0;

  /** @param now in milliseconds, by the monotonic clock. @param date in milliseconds since 1970. */
  constructor(
    terms: TicketTerms,
    hash: string,
    tenant: Tenant,
    now: number,
    date: number,
    origin: TicketOrigin = { id: randomUUID(), usesLeft: terms.uses },
  ) {
    this.id = origin.id;
    this.terms = terms;
    this.hash = hash;
    this.tenant = tenant;
    this.expiresAt = now + terms.validMs;
    this.expiryDate = date + terms.validMs;
    this.#usesLeft = origin.usesLeft;
  }

  /** Whether it can be used now. */
  usable(now: number): boolean {
    return this.#usesLeft > 0 && now < this.expiresAt && this.terms.subject.state === 'LIVE';
  }

  /** Whether the user may use it. */
  isFor({ uid }: Identity): boolean {
    return this.terms.forUid === undefined || this.terms.forUid === uid;
  }

  get usesLeft(): number {
    return this.#usesLeft;
  }

  /** Whether its last use is taken, and no claim is under way that could restore one. */
  get usedUp(): boolean {
    return this.#usesLeft === 0 && this.#underWay === 0;
  }

  /**
   * Runs a claim with one use, which is restored if the claim fails.
   * @param taken called after the use is taken; may throw. @param returned called after it is restored.
   */
  async use<T>(claim: () => Promise<T>, taken: () => void, returned: () => void): Promise<T> {
    this.#usesLeft -= 1;
    try {
      // Recorded before the claim: after a crash, a lost use is better than one that can be used twice.
      taken();
    } catch (failure) {
      this.#usesLeft += 1;
      throw failure;
    }
    this.#underWay += 1;
    try {
      return await claim();
    } catch (failure) {
      this.#usesLeft += 1;
      returned();
      throw failure;
    } finally {
      this.#underWay -= 1;
    }
  }

  /** The ticket as the contract describes it. */
  describe(): Decoded<'Ticket'> {
    const { subject, kinds, access, forUid } = this.terms;
    const ofSemaphore = subject instanceof Semaphore;
    return {
      id: this.id,
      allocationId: ofSemaphore ? '' : subject.id,
      semaphoreId: ofSemaphore ? subject.id : '',
      kinds: kinds.map(kindToWire),
      access: accessToWire(access),
      usesLeft: this.#usesLeft,
      expiresAt: timestamp(this.expiryDate),
      ...(forUid !== undefined && { forUid }),
      ownerUid: shownUid(this.tenant),
    };
  }
}

/**
 * Counts one ticket for the maker's tenant until the result is disposed.
 * @throws VkmemError QUOTA_EXCEEDED.
 */
export type TakeFromQuota = (maker: Identity) => Disposable;

/** Records each ticket when it is made, when its number of uses changes, and when it ends. */
export interface TicketJournal {
  /** It was made, or a use was taken. @throws VkmemError LEDGER_FULL. */
  ticketChanged(ticket: Ticket): void;
  /** A use was restored. */
  ticketReturned(ticket: Ticket): void;
  /** Called before it ends by a request. @throws VkmemError LEDGER_FULL. */
  ticketRevoked(ticket: Ticket): void;
  ticketEnded(ticket: Ticket): void;
  /** Records all ends that `work` reports in one transaction. */
  together(work: () => void): void;
}

const NO_JOURNAL: TicketJournal = {
  ticketChanged() {},
  ticketReturned() {},
  ticketRevoked() {},
  ticketEnded() {},
  together: (work) => work(),
};

/** Shortest and longest interval between two runs of expire(), in milliseconds. */
const MIN_LOOK_MS = 1000;
const MAX_LOOK_MS = 3_600_000;
/** Tickets that end between two looks at the clock: each is a record to remove. */
const BETWEEN_LOOKS = 4;

interface Clocks {
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly date: () => number;
  readonly attempts?: FailedTicketAttempts;
}

const CLOCKS: Clocks = { now: () => performance.now(), date: Date.now };

/** The position of a ticket in the list of all. It is the same after a restart of the daemon. */
export type TicketPosition = Pick<Ticket, 'expiryDate' | 'id'>;

/** Orders positions: those that expire first. */
export const byExpiryDate = (one: TicketPosition, other: TicketPosition): number =>
  one.expiryDate - other.expiryDate || (one.id < other.id ? -1 : Number(one.id > other.id));

/** Whose turn it is while ended tickets, of any tenant, are removed. */
const ENDED: Sharer = { key: 'tickets', name: 'tickets' };

/** The position of a ticket in the order in which tickets expire. */
type Expiry = Pick<Ticket, 'expiresAt' | 'id'>;

const byExpiry = (one: Expiry, other: Expiry): number =>
  one.expiresAt - other.expiresAt || (one.id < other.id ? -1 : Number(one.id > other.id));

/** A ticket, and its entry in the quota of its tenant. */
interface Listed {
  readonly ticket: Ticket;
  readonly counted: Disposable;
}

/** The tickets that can be used, by the hash of their secret, by their id and by what they are for. */
export class Tickets {
  readonly #byId = new Map<string, Listed>();
  readonly #byHash = new Map<string, Ticket>();
  readonly #bySubject = new Map<TicketSubject, Set<Ticket>>();
  /** All of them, as they are listed. */
  readonly #listed = new SortedList<TicketPosition, Ticket>(byExpiryDate);
  /** All of them, as they expire: by the monotonic clock, whatever date is set. */
  readonly #byExpiry = new SortedList<Expiry, Ticket>(byExpiry);
  readonly #attempts: FailedTicketAttempts;
  readonly #take: TakeFromQuota;
  readonly #journal: TicketJournal;
  readonly #now: () => number;
  readonly #date: () => number;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Infinity;

  /** @param note reports failed attempts to the operator. */
  constructor(take: TakeFromQuota, note: (what: string) => void, clocks = CLOCKS, journal = NO_JOURNAL) {
    this.#take = take;
    this.#journal = journal;
    this.#attempts = clocks.attempts ?? new FailedTicketAttempts(note);
    this.#now = clocks.now;
    this.#date = clocks.date;
  }

  /** Number of tickets, including expired ones that have not been removed yet. */
  get size(): number {
    return this.#byId.size;
  }

  /** Makes a ticket. Its secret is returned, and not stored. @throws VkmemError QUOTA_EXCEEDED, LEDGER_FULL. */
  create(maker: Identity, terms: TicketTerms): { secret: string; ticket: Ticket } {
    const counted = this.#take(maker);
    const secret = newSecret();
    const ticket = new Ticket(terms, hashOf(secret) ?? '', maker.tenant, this.#now(), this.#date());
    try {
      this.#journal.ticketChanged(ticket);
    } catch (failure) {
      counted[Symbol.dispose]();
      throw failure;
    }
    this.#add(ticket, counted);
    return { secret, ticket };
  }

  /**
   * Adds a ticket that survived a restart of the daemon. It still expires at its original date.
   * @param counted its entry in the quota; ownership is taken.
   */
  restore(terms: Omit<TicketTerms, 'validMs'>, stored: StoredTicket, counted: Disposable): void {
    const date = this.#date();
    const left = { ...terms, validMs: Math.max(0, stored.expiryDate - date) };
    this.#add(new Ticket(left, stored.hash, stored.tenant, this.#now(), date, stored), counted);
  }

  #add(ticket: Ticket, counted: Disposable): void {
    const { subject } = ticket.terms;
    this.#byId.set(ticket.id, { ticket, counted });
    this.#byHash.set(ticket.hash, ticket);
    this.#listed.add(ticket);
    const siblings = this.#bySubject.get(subject) ?? new Set();
    this.#bySubject.set(subject, siblings.add(ticket));
    this.#byExpiry.add(ticket);
    this.#lookAt(ticket.expiresAt);
  }

  /**
   * Runs a claim with one use of the ticket that has this secret.
   * @throws VkmemError TICKET_INVALID, with retry_after_ms in its metadata if the tenant made too many failed
   *   attempts; LEDGER_FULL; and what the claim throws.
   */
  async redeem<T>(secret: string, identity: Identity, claim: (ticket: Ticket) => Promise<T>): Promise<T> {
    const ticket = this.attempt(identity, () => {
      const hash = hashOf(secret);
      const known = hash === undefined ? undefined : this.#byHash.get(hash);
      return known?.usable(this.#now()) && known.isFor(identity) ? known : undefined;
    });
    try {
      return await ticket.use(
        async () => claim(ticket),
        () => this.#journal.ticketChanged(ticket),
        () => {
          // It may have been revoked meanwhile.
          if (this.byId(ticket.id) === ticket) this.#journal.ticketReturned(ticket);
        },
      );
    } finally {
      if (ticket.usedUp) this.end(ticket);
    }
  }

  /**
   * Looks up a secret of any kind, unless the tenant made too many failed attempts.
   * @throws VkmemError TICKET_INVALID, as redeem().
   */
  attempt<T>({ tenant }: Identity, find: () => T | undefined): T {
    const wait = this.#attempts.waitOf(tenant);
    const found = wait > 0 ? undefined : find();
    if (found !== undefined) return found;
    this.#attempts.count(tenant);
    throw new VkmemError('TICKET_INVALID', '', wait > 0 ? { retry_after_ms: String(wait) } : {});
  }

  /** Whether the ticket can be used now. */
  isUsable(ticket: Ticket): boolean {
    return ticket.usable(this.#now());
  }

  get last(): Ticket | undefined {
    return this.#listed.last;
  }

  /** At most `max` tickets, by their expiry, after a position; from the first if none. */
  after(position: TicketPosition | undefined, max: number): Ticket[] {
    return this.#listed.after(position, max);
  }

  byId(id: string): Ticket | undefined {
    return this.#byId.get(id)?.ticket;
  }

  /**
   * Checks a ticket again, after its claim has waited.
   * @throws VkmemError TICKET_INVALID if the ticket, or its allocation, has ended meanwhile.
   */
  requireValid(ticket: Ticket): void {
    const live = ticket.terms.subject.state === 'LIVE';
    if (live && this.byId(ticket.id) === ticket && this.#now() < ticket.expiresAt) return;
    throw new VkmemError('TICKET_INVALID');
  }

  /**
   * Ends a ticket by a request, as end(). @throws VkmemError LEDGER_FULL; the ticket is then still valid.
   */
  revoke(ticket: Ticket): void {
    this.#journal.ticketRevoked(ticket);
    this.end(ticket);
  }

  /**
   * Ends a ticket: it cannot be used any more, but a claim under way continues. Does nothing the second time.
   */
  end(ticket: Ticket): void {
    const listed = this.#byId.get(ticket.id);
    if (!listed) return;
    this.#byId.delete(ticket.id);
    this.#byHash.delete(ticket.hash);
    this.#listed.remove(ticket);
    this.#byExpiry.remove(ticket);
    const { subject } = ticket.terms;
    const siblings = this.#bySubject.get(subject);
    siblings?.delete(ticket);
    if (siblings?.size === 0) this.#bySubject.delete(subject);
    listed.counted[Symbol.dispose]();
    this.#journal.ticketEnded(ticket);
    if (this.#byId.size === 0) this.#rest();
  }

  /** Ends the tickets of an allocation or a semaphore, which ends: they cannot be used any more. */
  endOf(subject: TicketSubject): void {
    const siblings = this.#bySubject.get(subject);
    if (siblings) this.#endAll(siblings);
  }

  /** Removes expired tickets. Called by the timer. */
  expire(): void {
    this.#rest();
    const [earliest] = this.#byExpiry.after(undefined, 1);
    if (!earliest) return;
    if (earliest.expiresAt > this.#now()) this.#lookAt(earliest.expiresAt);
    else this.#endAll(this.#expired());
  }

  *#expired(): Generator<Ticket> {
    const now = this.#now();
    for (;;) {
      const [earliest] = this.#byExpiry.after(undefined, 1);
      if (!earliest || earliest.expiresAt > now) break;
      yield earliest;
    }
    const [next] = this.#byExpiry.after(undefined, 1);
    if (next) this.#lookAt(next.expiresAt);
  }

  #endAll(tickets: Iterable<Ticket>): void {
    const around = (part: () => void) => this.#journal.together(part);
    // What throws is a defect, and ends the process as any other.
    void slices.run(ENDED, tickets, (ticket) => this.end(ticket), { around, between: BETWEEN_LOOKS });
  }

  /** Stops the timers, when the daemon ends. The tickets stay in the journal. */
  [Symbol.dispose](): void {
    this.#rest();
    this.#attempts[Symbol.dispose]();
  }

  #lookAt(expiry: number): void {
    const now = this.#now();
    const at = Math.min(Math.max(expiry, now + MIN_LOOK_MS), now + MAX_LOOK_MS);
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
