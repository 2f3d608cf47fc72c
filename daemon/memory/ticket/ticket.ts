/**
 * A ticket: the right to claim one allocation, for whoever has its secret.
 *
 * The secret is 128 random bits as text. The daemon keeps only its SHA-256, which is enough to know it again: nobody
 * can try 2^128 secrets, so nothing slower is needed. The ticket's id is random too, and says nothing of the secret.
 *
 * A use is taken before a claim begins and given back when it fails. So as many claims as there are uses can be under
 * way, and a ticket whose last use is taken is over only when that claim has succeeded.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  type AccessName,
  accessToWire,
  type Decoded,
  type KindName,
  kindToWire,
  timestamp,
} from '@vkmemd/proto';
import type { Identity } from '../../policy/identity.js';
import type { Allocation } from '../allocation/allocation.js';

/** So that whoever finds one in a log or a repository knows what it is. */
const PREFIX = 'vkt_';
const SECRET_BYTES = 16;
const SECRET = new RegExp(`^${PREFIX}[A-Za-z0-9_-]{22}$`);

export const newSecret = (): string => PREFIX + randomBytes(SECRET_BYTES).toString('base64url');

/** What is kept of a secret; undefined for what no secret looks like, however long it is. */
export function hashOf(secret: string): string | undefined {
  return SECRET.test(secret) ? createHash('sha256').update(secret).digest('base64url') : undefined;
}

export interface TicketTerms {
  readonly allocation: Allocation;
  /** What may be claimed with it: these kinds, with this access at most. */
  readonly kinds: readonly KindName[];
  readonly access: AccessName;
  readonly uses: number;
  readonly validMs: number;
  /** The only user who may use it; undefined for anybody. */
  readonly forUid: number | undefined;
}

/** Of one that outlived its daemon: what is left of it. */
export interface TicketOrigin {
  readonly id: string;
  readonly usesLeft: number;
}

export class Ticket {
  readonly id: string;
  readonly terms: TicketTerms;
  readonly hash: string;
  /** Who made it. */
  readonly ownerUid: number;
  /** By a clock that nobody sets: setting the date makes no ticket longer or shorter. */
  readonly expiresAt: number;
  /** What that is as a date when it is made, for people, and for the next start. In milliseconds since 1970. */
  readonly expiryDate: number;
  #usesLeft: number;
  #underWay = 0;

  /** @param now milliseconds of the clock that nobody sets. @param date milliseconds since 1970. */
  constructor(
    terms: TicketTerms,
    hash: string,
    ownerUid: number,
    now: number,
    date: number,
    origin: TicketOrigin = { id: randomUUID(), usesLeft: terms.uses },
  ) {
    this.id = origin.id;
    this.terms = terms;
    this.hash = hash;
    this.ownerUid = ownerUid;
    this.expiresAt = now + terms.validMs;
    this.expiryDate = date + terms.validMs;
    this.#usesLeft = origin.usesLeft;
  }

  /** Whether it could be used now, by somebody. */
  usable(now: number): boolean {
    return this.#usesLeft > 0 && now < this.expiresAt && this.terms.allocation.state === 'LIVE';
  }

  isFor({ uid }: Identity): boolean {
    return this.terms.forUid === undefined || this.terms.forUid === uid;
  }

  get usesLeft(): number {
    return this.#usesLeft;
  }

  /** Whether its last use was taken, and nothing is under way that could give one back. */
  get usedUp(): boolean {
    return this.#usesLeft === 0 && this.#underWay === 0;
  }

  /** Runs a claim with one use of it, which comes back where the claim fails. @param changed told of both. */
  async use<T>(claim: () => Promise<T>, changed: () => void): Promise<T> {
    this.#usesLeft -= 1;
    this.#underWay += 1;
    // Before the claim: a use that a crash takes is better lost than there twice.
    changed();
    try {
      return await claim();
    } catch (failure) {
      this.#usesLeft += 1;
      changed();
      throw failure;
    } finally {
      this.#underWay -= 1;
    }
  }

  /** The ticket as the contract describes it. */
  describe(): Decoded<'Ticket'> {
    const { allocation, kinds, access, forUid } = this.terms;
    return {
      id: this.id,
      allocationId: allocation.id,
      kinds: kinds.map(kindToWire),
      access: accessToWire(access),
      usesLeft: this.#usesLeft,
      expiresAt: timestamp(this.expiryDate),
      ...(forUid !== undefined && { forUid }),
      ownerUid: this.ownerUid,
    };
  }
}
