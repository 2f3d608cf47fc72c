/** Release: releases one grant of the caller's session. */
import type { Draining } from '../memory/allocation/draining.js';
import type { Grants } from '../memory/grant/grants.js';
import { requireSession } from '../memory/session/caller.js';
import { type Handler, reply } from './handler.js';

/** @throws VkmemError NOT_FOUND if the session has no such grant. */
export function release({
  grants,
  draining,
}: {
  readonly grants: Grants;
  readonly draining: Draining;
}): Handler<'Release'> {
  return (caller, { grantId }) => {
    draining.release(grants.find(requireSession(caller), grantId));
    return reply({});
  };
}
