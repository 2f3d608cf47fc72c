/** ListSessions: returns all sessions, by id, in pages. */
import { type Decoded, timestamp } from '@vkmemd/proto';
import type { Registry } from '../memory/allocation/registry.js';
import type { Authority } from '../memory/authority.js';
import type { Grants } from '../memory/grant/grants.js';
import type { Session, Sessions } from '../memory/session/session.js';
import { describeTenant } from '../policy/tenant.js';
import { type Handler, reply } from './handler.js';
import { parsePageSize, parsePageToken } from './parse-page.js';

const DEFAULT_PAGE = 100;
/** The id of the last session of the page before. */
const TOKEN = /^(\d{1,19})$/;

interface Collaborators {
  readonly authority: Authority;
  readonly sessions: Pick<Sessions, 'after'>;
  readonly registry: Pick<Registry, 'ownedBy'>;
  readonly grants: Pick<Grants, 'sizeOf'>;
}

/** @throws VkmemError NOT_PERMITTED unless the caller is an operator; INVALID_ARGUMENT. */
export function listSessions(collaborators: Collaborators): Handler<'ListSessions'> {
  const { authority, sessions } = collaborators;
  return ({ identity }, { pageSize, pageToken }) => {
    authority.requireOperator(identity);
    const size = parsePageSize(pageSize) ?? DEFAULT_PAGE;
    const [last] = parsePageToken(pageToken, TOKEN) ?? [];
    const found = sessions.after(last === undefined ? undefined : BigInt(last), size + 1);
    const page = found.slice(0, size);
    return reply({
      sessions: page.map((session) => describe(session, collaborators)),
      nextPageToken: found.length > size ? String(page.at(-1)?.id) : '',
    });
  };
}

function describe(session: Session, { registry, grants }: Collaborators): Decoded<'SessionInfo'> {
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
