/**
 * Sessions: one for each handoff connection that said Hello, with what it owns and what it was granted.
 *
 * A session's token is a secret that lets a gRPC call of the same user act for the session. It begins with the
 * daemon's incarnation, so that a token from before a restart is told apart from one that never was.
 */
import { randomBytes } from 'node:crypto';
import { VkmemError } from '@vkmemd/proto';
import type { Identity } from '../policy/identity.js';
import type { Allocation, GrantRecord } from './allocation.js';
import type { ClientProcess } from './client-process.js';
import type { Lease } from './quota.js';

export class Session {
  readonly id: bigint;
  readonly identity: Identity;
  readonly token: string;
  /** What the client calls itself; for people only. Another one may resume the session. */
  clientName: string;
  readonly owned = new Set<Allocation>();
  readonly grants = new Map<bigint, GrantRecord>();
  /** Who opened it; undefined where the kernel cannot name a process surely. */
  process: ClientProcess | undefined;
  ended = false;

  constructor(id: bigint, identity: Identity, token: string, clientName: string) {
    this.id = id;
    this.identity = identity;
    this.token = token;
    this.clientName = clientName;
  }
}

export class Sessions {
  readonly incarnation: string;
  readonly #live = new Map<string, Session>();
  /** Each counts for its user as long as it lives. */
  readonly #leases = new Map<Session, Lease>();
  readonly #lease: (identity: Identity) => Lease;
  #nextId = 1n;

  /** @param lease of the user's quota; throws where it may not have one more. */
  constructor(lease: (identity: Identity) => Lease) {
    this.#lease = lease;
    this.incarnation = randomBytes(8).toString('hex');
  }

  get size(): number {
    return this.#live.size;
  }

  get all(): Iterable<Session> {
    return this.#live.values();
  }

  /** @throws VkmemError TOO_MANY_SESSIONS where the user has as many as it may. */
  open(identity: Identity, clientName: string): Session {
    const lease = this.#lease(identity);
    const token = `${this.incarnation}.${randomBytes(24).toString('base64url')}`;
    const session = new Session(this.#nextId, identity, token, clientName);
    this.#nextId += 1n;
    this.#live.set(token, session);
    this.#leases.set(session, lease);
    return session;
  }

  /** Forgets the session. What it owned and was granted is the lifetime use case's to end. */
  close(session: Session): void {
    session.ended = true;
    this.#live.delete(session.token);
    this.#leases.get(session)?.release();
    this.#leases.delete(session);
  }

  /**
   * The session of a token that a gRPC call carried.
   * @throws VkmemError STALE_INCARNATION for a token of an earlier start; SESSION_INVALID for any other that is not
   *   that of a live session of the same user. Whether another user has it is not told.
   */
  byToken(token: string, identity: Identity): Session {
    const session = this.#live.get(token);
    if (session?.identity.uid === identity.uid) return session;
    const [incarnation, secret] = token.split('.', 2);
    if (secret && /^[0-9a-f]{16}$/.test(incarnation ?? '') && incarnation !== this.incarnation) {
      throw new VkmemError(
        'STALE_INCARNATION',
        `The token is of ${incarnation}, this is ${this.incarnation}.`,
      );
    }
    throw new VkmemError('SESSION_INVALID');
  }
}
