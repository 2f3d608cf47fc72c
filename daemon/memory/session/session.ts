/**
 * Sessions: one for each handoff connection that sent Hello. The allocations that a session owns are in the
 * registry, its grants in Grants.
 *
 * A session's token is a secret that authorises a gRPC call of the same tenant to act for the session. It
 * begins with the daemon's incarnation, which distinguishes a token from before a restart from one that never
 * existed.
 *
 * A session that survived a restart of the daemon sleeps until its process connects again and presents the
 * token of before, or until it ends. Meanwhile it counts as any other session. A session whose grants were
 * entrusted to a process that does not use vkmemd (requests/entrust.ts) sleeps from the beginning.
 */
import { createHash, randomBytes } from 'node:crypto';
import { DisposableStack, VkmemError } from '@vkmemd/proto';
import { type Sharer, Shares, type Whose } from '../../limits/shares.js';
import type { Identity } from '../../policy/identity.js';
import { sameTenant } from '../../policy/tenant.js';
import type { Quota } from '../accounting/quotas.js';
import { SortedList } from '../sorted-list.js';
import type { ClientProcess } from './client-process.js';

/**
 * The hash of a token's secret part, which is stored instead of it. The secret is random enough that no other
 * one with this hash can be found.
 */
export const tokenHash = (token: string): string =>
  createHash('sha256').update(secretOf(token)).digest('base64url');

const secretOf = (token: string): string => token.slice(token.indexOf('.') + 1);

/** Counts sessions against the quotas of tenants. */
interface SessionQuotas {
  of(identity: Identity): Pick<Quota, 'take' | 'count'>;
}

/** The stored state of a session that survived a restart of the daemon. */
export interface Sleeper {
  readonly id: bigint;
  readonly identity: Identity;
  readonly tokenHash: string;
  readonly clientName: string;
  readonly beganAt: number;
  readonly process: ClientProcess | undefined;
  readonly entrusted: boolean;
}

/** @param whose which limit of the places is reached (Shares.take()). */
export function tooManySessions(places: Shares, tenant: Sharer, whose: Whose): VkmemError {
  const limit = whose === 'user' ? places.maxOf(tenant) : places.capacity;
  const reason =
    whose === 'user'
      ? `The tenant has reached its fair-share limit of sessions (${limit}).`
      : `The daemon has reached its limit of sessions (${limit}).`;
  return new VkmemError('TOO_MANY_SESSIONS', reason, { limit: String(limit), whose });
}

export class Session {
  readonly id: bigint;
  /** Has the unit only once the process is known: see prove(). */
  identity: Identity;
  /** Milliseconds since 1970. A restart of the daemon does not change it. */
  readonly beganAt: number;
  /** Changes with each restart of the daemon. */
  token: string;
  /** The name that the client chose, for operators only. A process that resumes the session may change it. */
  clientName: string;
  /** The process that opened it; undefined if the kernel cannot identify the process reliably. */
  process: ClientProcess | undefined;
  /** The watch that ends it with its process while it sleeps; undefined while it is awake. */
  sleeping: Disposable | undefined;
  /** Whether it was made by Entrust: it has no connection, and its process only has the fds of the grants. */
  entrusted = false;
  ended = false;

  constructor(id: bigint, identity: Identity, token: string, clientName: string, beganAt = Date.now()) {
    this.id = id;
    this.beganAt = beganAt;
    this.identity = identity;
    this.token = token;
    this.clientName = clientName;
  }

  /** The process that opened it is known from now on. @param identity of the same tenant. */
  prove(process: ClientProcess, identity: Identity): void {
    this.process = process;
    this.identity = identity;
  }
}

/** The position of a session in the list of all. */
export type SessionPosition = Pick<Session, 'id'>;

export const bySessionId = ({ id: one }: SessionPosition, { id: other }: SessionPosition): number =>
  one < other ? -1 : Number(one > other);

export class Sessions {
  readonly incarnation: string;
  readonly #live = new Map<string, Session>();
  /** Sleeping sessions, by the hash of their token's secret. */
  readonly #asleep = new Map<string, Session>();
  /** The keys of #asleep. */
  readonly #hashes = new Map<Session, string>();
  /** All of them, by id. */
  readonly #listed = new SortedList<SessionPosition, Session>(bySessionId);
  /** Each session's entry in its tenant's quota, and its place. */
  readonly #leases = new Map<Session, Disposable>();
  readonly #quotas: SessionQuotas;
  /** Of all sessions, however they began. */
  readonly #places: Shares;
  #nextId = 1n;

  /** @param max the maximum number of sessions; may change. */
  constructor(quotas: SessionQuotas, max: () => number) {
    this.#quotas = quotas;
    this.#places = new Shares(max);
    this.incarnation = randomBytes(8).toString('hex');
  }

  get size(): number {
    return this.#listed.size;
  }

  /** Every session, by id. */
  get all(): Iterable<Session> {
    return this.#listed.toArray();
  }

  byId(id: bigint): Session | undefined {
    const [found] = this.#listed.after({ id: id - 1n }, 1);
    return found?.id === id ? found : undefined;
  }

  get last(): Session | undefined {
    return this.#listed.last;
  }

  /** At most `max` sessions, by id, after a position; from the first if none. */
  after(position: SessionPosition | undefined, max: number): Session[] {
    return this.#listed.after(position, max);
  }

  /** @throws VkmemError TOO_MANY_SESSIONS if the tenant, or the daemon, has reached its limit. */
  open(identity: Identity, clientName: string): Session {
    using undo = new DisposableStack();
    undo.use(this.#quotas.of(identity).take('sessions'));
    const place = this.#places.take(identity.tenant, 1);
    if (typeof place === 'string') throw tooManySessions(this.#places, identity.tenant, place);
    undo.use(place);
    const lease = undo.move();
    const session = new Session(this.#nextId, identity, this.#newToken(), clientName);
    this.#nextId += 1n;
    this.#live.set(session.token, session);
    this.#listed.add(session);
    this.#leases.set(session, lease);
    return session;
  }

  /** Reserves the ids up to `last`. */
  skipIds(last: bigint): void {
    if (last >= this.#nextId) this.#nextId = last + 1n;
  }

  /**
   * Restores a session that survived a restart of the daemon. It counts even above the tenant's limit, and is
   * not refused.
   */
  restore({ id, identity, tokenHash: hash, clientName, beganAt, process, entrusted }: Sleeper): Session {
    const session = new Session(id, identity, '', clientName, beganAt);
    session.process = process;
    session.entrusted = entrusted;
    this.skipIds(id);
    this.#asleep.set(hash, session);
    this.#hashes.set(session, hash);
    this.#listed.add(session);
    const lease = new DisposableStack();
    lease.use(this.#quotas.of(identity).count('sessions'));
    lease.use(this.#places.count(identity.tenant, 1));
    this.#leases.set(session, lease);
    return session;
  }

  /**
   * Wakes the sleeping session of a process. Its new token has the same secret, so that the client can
   * present it again if this answer is lost in another restart.
   * @returns undefined if there is no sleeping session with this token, tenant and pid.
   */
  wake(token: string, identity: Identity): Session | undefined {
    const session = this.#sleeper(token, identity);
    if (!session || session.process?.exited) return undefined;
    this.#asleep.delete(tokenHash(token));
    this.#hashes.delete(session);
    session.token = `${this.incarnation}.${secretOf(token)}`;
    session.sleeping?.[Symbol.dispose]();
    session.sleeping = undefined;
    this.#live.set(session.token, session);
    return session;
  }

  /**
   * Whether a peer is the process of the sleeping session that its token is of. That process has not exited, so no
   * other process has its pid.
   */
  isSleeper(token: string, identity: Identity): boolean {
    return this.#sleeper(token, identity)?.process?.alive === true;
  }

  #sleeper(token: string, { tenant, pid }: Identity): Session | undefined {
    const session = this.#asleep.get(tokenHash(token));
    if (!session || !sameTenant(session.identity.tenant, tenant)) return undefined;
    return session.identity.pid === pid ? session : undefined;
  }

  #newToken(): string {
    return `${this.incarnation}.${randomBytes(24).toString('base64url')}`;
  }

  /**
   * The session has ended: no request acts for it, and its process cannot resume it. It still counts until
   * close().
   */
  leave(session: Session): void {
    session.ended = true;
    this.#live.delete(session.token);
    const hash = this.#hashes.get(session);
    if (hash !== undefined && this.#asleep.get(hash) === session) this.#asleep.delete(hash);
    this.#hashes.delete(session);
  }

  /** Removes the session, and its entry in the quota. SessionLifecycle ends what it owned and its grants. */
  close(session: Session): void {
    this.leave(session);
    session.sleeping?.[Symbol.dispose]();
    this.#listed.remove(session);
    this.#leases.get(session)?.[Symbol.dispose]();
    this.#leases.delete(session);
  }

  /**
   * The session of a token that a gRPC call carries.
   * @throws VkmemError STALE_INCARNATION for a token of an earlier start; SESSION_INVALID for any other token
   *   that is not of a live session of the same tenant. The answer does not reveal whether another tenant has
   *   it.
   */
  byToken(token: string, identity: Identity): Session {
    const session = this.#live.get(token);
    if (session && sameTenant(session.identity.tenant, identity.tenant)) return session;
    const [incarnation, secret] = token.split('.', 2);
    if (secret && /^[0-9a-f]{16}$/.test(incarnation ?? '') && incarnation !== this.incarnation) {
      throw new VkmemError(
        'STALE_INCARNATION',
        `The daemon was restarted: the token is of incarnation ${incarnation}, the daemon's is ${this.incarnation}.`,
      );
    }
    throw new VkmemError('SESSION_INVALID');
  }
}
