/**
 * Admission: decides whether there is room for one more connection, before any of its data is read.
 *
 * A place is what a connection needs until it has ended and everything sent to it has been received: one of
 * the places (as many as the daemon may have sessions), its fds in this process, and its share of fds in
 * flight. It is taken at accept(): a peer that connects and sends nothing holds a place until the handshake's
 * time limit. A tenant has at most twice as many places as it may have sessions, and MIN_PLACES more, so that
 * a tenant that may have few sessions or none cannot use up the places of others with connections that have
 * no session. Only the pidfd may be watched for longer (memory/session/client-process.ts); its lease is a
 * separate Disposable.
 */
import { DisposableStack, tooManyPendingCloses, VkmemError } from '@vkmemd/proto';
import { FDS_OF_SESSION, type FdBudget, joinInFlight } from '../limits/fd-budget.js';
import type { InFlightFds } from '../limits/in-flight-fds.js';
import { PerTickLimit } from '../limits/per-tick-limit.js';
import { Shares } from '../limits/shares.js';
import type { Quotas } from '../memory/accounting/quotas.js';
import type { Authority } from '../memory/authority.js';
import { tooManySessions } from '../memory/session/session.js';
import type { Identity } from '../policy/identity.js';
import type { Limits } from '../policy/limits.js';
import type { Tenant } from '../policy/tenant.js';

/** Requests of one tenant that begin in one turn of the event loop, over all its connections. */
export const REQUESTS_PER_TICK = 8;
/** Places of a tenant that may have no session. */
const MIN_PLACES = 8;

/** What a connection holds. Disposing it releases everything but the lease of its process. */
export interface Place extends Disposable {
  readonly tenant: Tenant;
  /** The limits in force when it connected. */
  readonly limits: Limits;
  readonly inFlight: InFlightFds;
  /** Shared by all connections. */
  readonly ticks: PerTickLimit;
  /** The lease of the pidfd; disposed once the pidfd is closed, or if there is none. */
  readonly process: Disposable;
}

interface Collaborators {
  readonly authority: Authority;
  readonly fds: FdBudget;
  readonly quotas: Quotas;
}

export class Admission {
  readonly #with: Collaborators;
  readonly #places: Shares;
  readonly #ticks = new PerTickLimit(REQUESTS_PER_TICK);

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
    this.#places = new Shares(() => collaborators.authority.policy.limits.sessions);
  }

  /**
   * Takes a place for a connection.
   * @throws VkmemError TOO_MANY_SESSIONS; TOO_MANY_FILES, also if too many fds that the user sent wait to be
   *   closed.
   */
  admit(identity: Identity): Place {
    const { authority, fds } = this.#with;
    const { uid, tenant } = identity;
    if (tooManyPendingCloses(uid)) {
      const reason = 'Too many fds that the user sent are still waiting to be closed.';
      throw new VkmemError('TOO_MANY_FILES', reason, { whose: 'user' });
    }
    const places = this.#placesOf(identity);
    if (this.#places.of(tenant) >= places) {
      const reason = `The tenant has ${places} connections, which is its limit; most have no session.`;
      throw new VkmemError('TOO_MANY_SESSIONS', reason, { limit: String(places), whose: 'user' });
    }
    const session = this.#places.take(tenant, 1);
    if (typeof session === 'string') throw tooManySessions(this.#places, tenant, session);
    using undo = new DisposableStack();
    undo.use(session);
    // Peers that may import need one more, for the fd that they send.
    const importing = authority.rightsOf(identity).import ? 1 : 0;
    undo.use(fds.lease(tenant, FDS_OF_SESSION - 1 + importing));
    const inFlight = undo.use(joinInFlight(fds, tenant));
    const process = fds.lease(tenant, 1);
    const held = undo.move();
    const { limits } = authority.policy;
    return { tenant, limits, inFlight, ticks: this.#ticks, process, [Symbol.dispose]: () => held.dispose() };
  }

  /** How many places a tenant that may connect may have. A limit of sessions that SetQuota set replaces the policy's. */
  #placesOf(identity: Identity): number {
    const { authority, quotas } = this.#with;
    const { maxSessions = Number.POSITIVE_INFINITY } = authority.rightsOf(identity);
    const sessions = quotas.ofTenant(identity.tenant).change?.sessions ?? maxSessions;
    return MIN_PLACES + 2 * sessions;
  }
}
