/**
 * Sessions: one for each handoff connection that said Hello. What it owns is in the registry of allocations,
 * what it was granted in Grants.
 *
 * A session's token is a secret that lets a gRPC call of the same user act for the session. It begins with
 * the daemon's incarnation, which distinguishes a token from before a restart from one that never existed.
 *
 * A session that outlived its daemon sleeps until its process connects again, and shows the token of before,
 * or ends. It counts as any other meanwhile. One whose grants were entrusted to a process that knows nothing
 * of it (entrust.ts) sleeps from the beginning.
 */
import { createHash, randomBytes } from 'node:crypto';
import { VkmemError } from '@vkmemd/proto';
import type { Identity } from '../../policy/identity.js';
import { sameTenant } from '../../policy/tenant.js';
import type { Quota } from '../accounting/quotas.js';
import type { ClientProcess } from './client-process.js';

/**
 * The hash that is stored of a token's secret part, which is random enough that nobody finds another one with
 * this hash.
 */
export const tokenHash = (token: string): string =>
  createHash('sha256').update(secretOf(token)).digest('base64url');

const secretOf = (token: string): string => token.slice(token.indexOf('.') + 1);

/** What users may have, by their peers. */
interface SessionQuotas {
  of(identity: Identity): Pick<Quota, 'take' | 'count'>;
}

/** Of a session that outlived its daemon. */
export interface Sleeper {
  readonly id: bigint;
  readonly identity: Identity;
  readonly tokenHash: string;
  readonly clientName: string;
  readonly process: ClientProcess | undefined;
  readonly entrusted: boolean;
}

export class Session {
  readonly id: bigint;
  readonly identity: Identity;
  /** Milliseconds since 1970. */
  readonly beganAt = Date.now();
  /** Another one after each restart of the daemon. */
  token: string;
  /** What the client calls itself; for people only. Another one may resume the session. */
  clientName: string;
  /** Who opened it; undefined where the kernel cannot name a process surely. */
  process: ClientProcess | undefined;
  /** What ends it with its process while it sleeps; undefined while it is awake. */
  sleeping: Disposable | undefined;
  /** Whether it has no connection, and its process was only given what it was granted. */
  entrusted = false;
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
  /** By the hash of the token of before. */
  readonly #asleep = new Map<string, Session>();
  /** Each counts for its user as long as it lives. */
  readonly #leases = new Map<Session, Disposable>();
  readonly #quotas: SessionQuotas;
  #nextId = 1n;

  constructor(quotas: SessionQuotas) {
    this.#quotas = quotas;
    this.incarnation = randomBytes(8).toString('hex');
  }

  get size(): number {
    return this.#live.size + this.#asleep.size;
  }

  get all(): Iterable<Session> {
    return [...this.#live.values(), ...this.#asleep.values()];
  }

  /** @throws VkmemError TOO_MANY_SESSIONS where the user has as many as it may. */
  open(identity: Identity, clientName: string): Session {
    const lease = this.#quotas.of(identity).take('sessions');
    const session = new Session(this.#nextId, identity, this.#newToken(), clientName);
    this.#nextId += 1n;
    this.#live.set(session.token, session);
    this.#leases.set(session, lease);
    return session;
  }

  /** Ids up to this one are taken. */
  skipIds(last: bigint): void {
    if (last >= this.#nextId) this.#nextId = last + 1n;
  }

  /** Goes on with a session of before, which nobody can take from its user: not for another limit either. */
  restore({ id, identity, tokenHash: hash, clientName, process, entrusted }: Sleeper): Session {
    const session = new Session(id, identity, '', clientName);
    session.process = process;
    session.entrusted = entrusted;
    this.skipIds(id);
    this.#asleep.set(hash, session);
    this.#leases.set(session, this.#quotas.of(identity).count('sessions'));
    return session;
  }

  /**
   * The session that sleeps, for the process that had it; from now on it is awake. Its token has the secret
   * of before, so that it can be shown again where the answer is lost with this start too.
   * @param pid of the peer. @returns undefined where there is none for this token, user and process.
   */
  wake(token: string, { tenant, pid }: Identity): Session | undefined {
    const hash = tokenHash(token);
    const session = this.#asleep.get(hash);
    if (!session || !sameTenant(session.identity.tenant, tenant) || session.identity.pid !== pid)
      return undefined;
    if (session.process?.exited) return undefined;
    this.#asleep.delete(hash);
    session.token = `${this.incarnation}.${secretOf(token)}`;
    session.sleeping?.[Symbol.dispose]();
    session.sleeping = undefined;
    this.#live.set(session.token, session);
    return session;
  }

  #newToken(): string {
    return `${this.incarnation}.${randomBytes(24).toString('base64url')}`;
  }

  /**
   * Removes the session, and ends its place in the quota. What it owned and was granted is ended by
   * SessionLifecycle.
   */
  close(session: Session): void {
    session.ended = true;
    session.sleeping?.[Symbol.dispose]();
    this.#live.delete(session.token);
    for (const [hash, asleep] of session.token === '' ? this.#asleep : []) {
      if (asleep === session) this.#asleep.delete(hash);
    }
    this.#leases.get(session)?.[Symbol.dispose]();
    this.#leases.delete(session);
  }

  /**
   * The session of a token that a gRPC call carried.
   * @throws VkmemError STALE_INCARNATION for a token of an earlier start; SESSION_INVALID for any other that
   *   is not that of a live session of the same user. The answer does not say whether another user has it.
   */
  byToken(token: string, identity: Identity): Session {
    const session = this.#live.get(token);
    if (session && sameTenant(session.identity.tenant, identity.tenant)) return session;
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
