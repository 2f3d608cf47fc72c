/**
 * ClaimSemaphore: grants a handle of an existing semaphore, found by its id or name or by a ticket. Every handle of
 * a semaphore can signal it: there is no read-only access.
 */
import { VkmemError } from '@vkmemd/proto';
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { Authority } from '../memory/authority.js';
import { requireHandle } from '../memory/semaphore/lifecycle.js';
import { Semaphore } from '../memory/semaphore/semaphore.js';
import type { Semaphores } from '../memory/semaphore/semaphores.js';
import { type Caller, partyOf, requirePresent, requireSession } from '../memory/session/caller.js';
import type { Tickets } from '../memory/ticket/tickets.js';
import type { Device } from '../vulkan/device.js';
import type { Answer, Handler } from './handler.js';
import { parseUuids, requireDevice } from './parse.js';
import { describeSemaphoreGrant, parseSemaphoreKind } from './parse-semaphore.js';

interface Collaborators {
  readonly authority: Authority;
  readonly semaphores: Semaphores;
  readonly tickets: Tickets;
  readonly allocations: FairScheduler;
  readonly device: Pick<Device, 'info'>;
}

/**
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, SESSION_REQUIRED,
 *   INVALID_ARGUMENT, WRONG_DEVICE, TICKET_INVALID, LEDGER_FULL, DEVICE_LOST, UNAVAILABLE, or as the driver fails.
 *   On failure a ticket loses no use.
 */
export function claimSemaphore(collaborators: Collaborators): Handler<'ClaimSemaphore'> {
  const { semaphores, tickets, allocations, device } = collaborators;

  async function grant(
    caller: Caller,
    semaphore: Semaphore,
    wanted: string,
    uuids: readonly Uint8Array[],
  ): Promise<Answer<'ClaimSemaphore'>> {
    requireSession(caller);
    const kind = kindOf(semaphore, wanted);
    requireHandle(collaborators, caller, kind);
    if (kind === 'OPAQUE_FD') requireDevice(device.info.deviceUuid, uuids);
    const fd = await allocations.run(partyOf(caller), () => {
      requirePresent(caller);
      return semaphore.export();
    });
    const fds = fd ? [fd] : [];
    const response = {
      semaphore: semaphore.describe(),
      grant: describeSemaphoreGrant(device.info, kind, fds.length),
    };
    return { response, fds };
  }

  return (caller, request) => {
    const uuids = parseUuids(request.deviceUuids);
    const kind = String(request.kind);
    const { semaphore: ref, ticket } = request;
    if (ticket === '') {
      return grant(caller, semaphores.find(ref, caller.identity, { claim: 'rw' }), kind, uuids);
    }
    if (ref) {
      const reason = 'The request has both a ticket and a semaphore; a ticket already names its semaphore.';
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'semaphore' });
    }
    return tickets.redeem(ticket, caller.identity, async ({ terms: { subject } }) => {
      if (subject instanceof Semaphore) return grant(caller, subject, kind, uuids);
      const next = 'Claim it with Claim.';
      const reason = 'The ticket is for an allocation.';
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'ticket' }, undefined, next);
    });
  };
}

/** @throws VkmemError KIND_NOT_REQUESTED, KIND_UNSUPPORTED. */
function kindOf({ id, terms }: Semaphore, wanted: string): 'OPAQUE_FD' | 'SYNC_FD' {
  const { kind } = terms;
  const asked = wanted === 'SEMAPHORE_KIND_UNSPECIFIED' ? kind : parseSemaphoreKind(wanted);
  if (kind !== undefined && asked === kind) return kind;
  const reason = `Semaphore ${id} was created with ${kind ?? 'no kind'}${asked ? `, not with ${asked}` : ''}.`;
  const next = 'List the kind when the semaphore is created.';
  throw new VkmemError('KIND_NOT_REQUESTED', reason, { ...(asked && { kind: asked }) }, undefined, next);
}
