/**
 * Admission: whether there is room for one more connection, before anything of it is read.
 *
 * A place is what a connection needs until it has ended, and until what was sent to it is received: one of the sessions
 * that there may be, its fds in this process, its room for fds in flight. It is held from accept() on: whoever
 * connects and says nothing has one until the handshake's time is over.
 */
import { tooManyPendingCloses, VkmemError } from '@vkmemd/proto';
import { FDS_OF_SESSION, tooManyFiles } from '../limits/fd-budget.js';
import type { Flight } from '../limits/flight.js';
import { type GiveBack, Shares } from '../limits/shares.js';
import type { Domain } from '../memory/domain.js';
import type { Identity } from '../policy/identity.js';
import type { Limits } from '../policy/limits.js';

export interface Place {
  /** Those of when it connected. */
  readonly limits: Limits;
  readonly flight: Flight;
  /** Gives it back; later calls do nothing. */
  leave(): void;
}

export class Admission {
  readonly #domain: Domain;
  readonly #sessions: Shares;

  constructor(domain: Domain) {
    this.#domain = domain;
    this.#sessions = new Shares(() => domain.authority.policy.limits.sessions);
  }

  /** @throws VkmemError TOO_MANY_SESSIONS; TOO_MANY_FILES, also where files that the user sent cannot be closed. */
  admit(identity: Identity): Place {
    const { authority, fds } = this.#domain;
    const { uid } = identity;
    if (tooManyPendingCloses(uid)) throw tooManyStuck();
    const session = this.#sessions.take(uid, 1);
    if (typeof session === 'string') throw this.#tooManySessions(uid, session);
    const taken: GiveBack[] = [session];
    try {
      // The fd of an import is one more, for those who may.
      const importing = authority.rightsOf(identity).import ? 1 : 0;
      taken.push(fds.lease(uid, FDS_OF_SESSION + importing));
      const flight = fds.flight.join(uid);
      if (!flight) throw tooManyFiles(fds.flight.mostSessions, 'daemon');
      taken.push(() => flight.leave());
      return { limits: authority.policy.limits, flight, leave: () => giveBack(taken) };
    } catch (failure) {
      giveBack(taken);
      throw failure;
    }
  }

  #tooManySessions(uid: number, whose: 'daemon' | 'user'): VkmemError {
    const limit = whose === 'user' ? this.#sessions.mostOf(uid) : this.#sessions.capacity;
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
