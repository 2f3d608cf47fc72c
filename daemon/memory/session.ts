/**
 * Sessions: one for each handoff connection that said Hello, with what it owns and what it was granted.
 *
 * A session's token is a secret that lets a gRPC call of the same user act for the session. It begins with the
 * daemon's incarnation, so that a token from before a restart is told apart from one that never was.
 */
import { randomBytes } from 'node:crypto';
import { VkmemError } from '@vkmemd/proto';
import type { Allocation, GrantRecord } from './allocation.js';
import type { Identity } from './policy.js';

export class Session {
  readonly id: bigint;
  readonly identity: Identity;
  readonly token: string;
  /** What the client calls itself; for people only. */
  readonly clientName: string;
  readonly owned = new Set<Allocation>();
  readonly grants = new Map<bigint, GrantRecord>();
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
  #nextId = 1n;

  constructor() {
    this.incarnation = randomBytes(8).toString('hex');
  }

  get size(): number {
    return this.#live.size;
  }

  get all(): Iterable<Session> {
    return this.#live.values();
  }

  open(identity: Identity, clientName: string): Session {
    const token = `${this.incarnation}.${randomBytes(24).toString('base64url')}`;
    const session = new Session(this.#nextId, identity, token, clientName);
    this.#nextId += 1n;
    this.#live.set(token, session);
    return session;
  }

  /** Forgets the session. What it owned and was granted is the lifetime use case's to end. */
  close(session: Session): void {
    session.ended = true;
    this.#live.delete(session.token);
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
