/** ListSessions: returns all sessions, by id, in pages. */
import { type Decoded, timestamp } from '@vkmemd/proto';
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { Registry } from '../memory/allocation/registry.js';
import type { Authority } from '../memory/authority.js';
import type { Grants } from '../memory/grant/grants.js';
import { bySessionId, type Session, type SessionPosition, type Sessions } from '../memory/session/session.js';
import { describeTenant } from '../policy/tenant.js';
import { type Handler, reply } from './handler.js';
import { encodePage, type Order, parsePage, partsOfPage } from './page.js';

interface Collaborators {
  readonly authority: Pick<Authority, 'requireOperator'>;
  readonly sessions: Pick<Sessions, 'after' | 'last'>;
  readonly registry: Pick<Registry, 'ownedBy'>;
  readonly grants: Pick<Grants, 'sizeOf'>;
  readonly lists: FairScheduler;
}

const SESSIONS: Order<SessionPosition> = {
  compare: bySessionId,
  token: /^(\d{1,19})$/,
  tokenOf: ({ id }) => String(id),
  positionOf: (id = '') => ({ id: BigInt(id) }),
};

/**
 * @throws VkmemError NOT_PERMITTED unless the caller is an operator; INVALID_ARGUMENT; UNAVAILABLE if the caller is
 *   gone, or has too many lists waiting.
 */
export function listSessions(collaborators: Collaborators): Handler<'ListSessions'> {
  const { authority, sessions, lists } = collaborators;
  return async (caller, request) => {
    authority.requireOperator(caller.identity);
    const page = parsePage(request, SESSIONS);
    const parts = partsOfPage(sessions, SESSIONS, caller, page, () => true);
    return reply(
      await encodePage(lists, caller, 'ListSessionsResponse', parts, ({ items, nextPageToken }) => ({
        sessions: items.map((session) => describe(session, collaborators)),
        nextPageToken,
      })),
    );
  };
}

function describe(
  session: Session,
  { registry, grants }: Pick<Collaborators, 'registry' | 'grants'>,
): Decoded<'SessionInfo'> {
  const { id, identity, clientName, beganAt } = session;
  const owned = registry.ownedBy(session);
  let bytes = 0n;
  for (const { memory } of owned) bytes += memory.size;
  return {
    id,
    tenant: describeTenant(identity.tenant),
    uid: identity.uid,
    gid: identity.gid,
    pid: identity.pid,
    ...(identity.unit !== undefined && { unit: identity.unit }),
    clientName,
    beganAt: timestamp(beganAt),
    allocations: owned.size,
    bytes,
    grants: grants.sizeOf(session),
  };
}
