/**
 * Free: frees an allocation for all clients. The caller's own grants of it are dropped too, since the caller
 * has closed their fds.
 */
import type { Draining } from '../memory/allocation/draining.js';
import type { Registry } from '../memory/allocation/registry.js';
import type { Grants } from '../memory/grant/grants.js';
import type { Persistence } from '../memory/persistence.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly registry: Registry;
  readonly grants: Grants;
  readonly draining: Draining;
  readonly persistence: Persistence;
}

/** @throws VkmemError NOT_FOUND, NOT_PERMITTED; LEDGER_FULL, nothing is freed then. */
export function free({ registry, grants, draining, persistence }: Collaborators): Handler<'Free'> {
  return async ({ identity, session }, request) => {
    const allocation = registry.find(request.allocation, identity, 'use');
    persistence.ending(allocation);
    const own = session && grants.holding(session, allocation);
    if (own) await grants.dropAll(identity.tenant, own.grants);
    const freed = await draining.free(allocation);
    return reply({ allocation: allocation.describe(), freed });
  };
}
