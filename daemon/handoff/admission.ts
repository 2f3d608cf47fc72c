/**
 * Admission: whether there is room for one more connection, before anything of it is read.
 *
 * A place is what a connection needs until it has ended, and until what was sent to it is received: one of the sessions
 * that there may be, its fds in this process, its room for fds in flight. It is held from accept() on: whoever
 * connects and says nothing has one until the handshake's time is over. So a user has no more places than twice the
 * sessions that it may have, and a few: one that may have few sessions, or none, cannot take what the others need by
 * connections that are none yet, or no more. The pidfd alone may be watched for longer (departed.ts), and is given back
 * by itself.
 */
import { tooManyPendingCloses, VkmemError } from '@vkmemd/proto';
import { FDS_OF_SESSION, tooManyFiles } from '../limits/fd-budget.js';
import type { InFlightFds } from '../limits/in-flight-fds.js';
import { PerTickLimit } from '../limits/per-tick-limit.js';
import { type GiveBack, Shares } from '../limits/shares.js';
import type { Domain } from '../memory/domain.js';
import type { Identity } from '../policy/identity.js';
import type { Limits } from '../policy/limits.js';

/** Of all of its connections, in one turn of the event loop. */
const REQUESTS_OF_USER = 8;
/** Places of a user that may have no session at all. */
const MIN_PLACES = 8;

export interface Place {
  /** Those of when it connected. */
  readonly limits: Limits;
  readonly flight: InFlightFds;
  /** A request was read: whether the connection may read on now; else `goOn` is called when it may. */
  mayGoOn(goOn: () => void): boolean;
  /** Gives it back, but for the pidfd; later calls do nothing. */
  leave(): void;
  /** The pidfd is closed, or there is none. */
  readonly forgetProcess: GiveBack;
}

export class Admission {
  readonly #domain: Domain;
  readonly #sessions: Shares;
  readonly #rounds = new PerTickLimit(REQUESTS_OF_USER);

  constructor(domain: Domain) {
    this.#domain = domain;
    this.#sessions = new Shares(() => domain.authority.policy.limits.sessions);
  }

  /** @throws VkmemError TOO_MANY_SESSIONS; TOO_MANY_FILES, also where files that the user sent cannot be closed. */
  admit(identity: Identity): Place {
    const { authority, fds } = this.#domain;
    const { uid } = identity;
    if (tooManyPendingCloses(uid)) throw tooManyStuck();
    const places = this.#placesOf(identity);
    if (this.#sessions.of(uid) >= places) {
      const reason = `The user has ${places} connections, most of which are no sessions.`;
      throw new VkmemError('TOO_MANY_SESSIONS', reason, { limit: String(places), whose: 'user' });
    }
    const session = this.#sessions.take(uid, 1);
    if (typeof session === 'string') throw this.#tooManySessions(uid, session);
    const taken: GiveBack[] = [session];
    let forgetProcess: GiveBack = () => {};
    try {
      // The fd of an import is one more, for those who may.
      const importing = authority.rightsOf(identity).import ? 1 : 0;
      taken.push(fds.lease(uid, FDS_OF_SESSION - 1 + importing));
      forgetProcess = fds.lease(uid, 1);
      const flight = fds.flight.join(uid);
      if (!flight) throw tooManyFiles(fds.flight.maxSessions, 'daemon');
      taken.push(() => flight.leave());
      return {
        limits: authority.policy.limits,
        flight,
        mayGoOn: (goOn) => this.#rounds.mayGoOn(uid, goOn),
        leave: () => giveBack(taken),
        forgetProcess,
      };
    } catch (failure) {
      giveBack([...taken, forgetProcess]);
      throw failure;
    }
  }

  /** How many the user may have. SetQuota's word comes before the policy's. */
  #placesOf(identity: Identity): number {
    const { authority, quotas } = this.#domain;
    const { connect, maxSessions = Number.POSITIVE_INFINITY } = authority.rightsOf(identity);
    const sessions = quotas.byUid(identity.uid).change?.sessions ?? maxSessions;
    return MIN_PLACES + (connect ? 2 * sessions : 0);
  }

  #tooManySessions(uid: number, whose: 'daemon' | 'user'): VkmemError {
    const limit = whose === 'user' ? this.#sessions.maxOf(uid) : this.#sessions.capacity;
    const reason =
      whose === 'user'
        ? `The user has as many as may be while few are left; that is ${limit} now.`
        : `There are ${limit}.`;
    return new VkmemError('TOO_MANY_SESSIONS', reason, { limit: String(limit), whose });
  }
}

function tooManyStuck(): VkmemError {
  const reason = 'Too many files that the user sent cannot be closed.';
  return new VkmemError('TOO_MANY_FILES', reason, { whose: 'user' });
}

function giveBack(taken: GiveBack[]): void {
  for (const back of taken.splice(0)) back();
}
