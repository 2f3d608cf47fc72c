/** EndEntrusted: ends a session that Entrust began, because its process no longer uses the memory. */
import { VkmemError } from '@vkmemd/proto';
import type { Draining } from '../memory/allocation/draining.js';
import type { Authority } from '../memory/authority.js';
import type { Grants } from '../memory/grant/grants.js';
import type { SessionLifecycle } from '../memory/session/lifecycle.js';
import type { Sessions } from '../memory/session/session.js';
import { sameTenant } from '../policy/tenant.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly authority: Authority;
  readonly sessions: Sessions;
  readonly grants: Grants;
  readonly draining: Draining;
  readonly lifecycle: SessionLifecycle;
}

/**
 * @throws VkmemError NOT_FOUND for any other session, and for a session of another tenant unless the caller
 *   is an operator.
 */
export function endEntrusted(collaborators: Collaborators): Handler<'EndEntrusted'> {
  const { authority, sessions, grants, draining, lifecycle } = collaborators;
  return async ({ identity }, { sessionId }) => {
    const operator = authority.isOperator(identity);
    const found = sessions.byId(sessionId);
    if (!found?.entrusted || (!sameTenant(found.identity.tenant, identity.tenant) && !operator))
      throw new VkmemError('NOT_FOUND', `No entrusted session has the id ${sessionId}.`);
    // Released first, as by Release, so that no lock stays with the process.
    await draining.releaseAll(found.identity.tenant, grants.ofSession(found));
    await lifecycle.end(found);
    return reply({});
  };
}
