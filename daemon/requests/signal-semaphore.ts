/**
 * SignalSemaphore: signals a semaphore by the daemon's device, for clients without a GPU. A timeline is signalled by
 * the host; a binary semaphore by the queue, in the tenant's turn.
 */
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { Semaphores } from '../memory/semaphore/semaphores.js';
import { partyOf, requirePresent } from '../memory/session/caller.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly semaphores: Semaphores;
  readonly allocations: FairScheduler;
  readonly transfers: FairScheduler;
}

/** @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_ARGUMENT, DEVICE_LOST, UNAVAILABLE, or as the driver fails. */
export function signalSemaphore(collaborators: Collaborators): Handler<'SignalSemaphore'> {
  const { semaphores, allocations, transfers } = collaborators;
  return async (caller, { semaphore: ref, value }) => {
    const semaphore = semaphores.find(ref, caller.identity, 'use');
    semaphore.requireValue(value, 'value');
    const signal = () => {
      requirePresent(caller);
      return semaphore.signal(value);
    };
    const { tenant } = caller.identity;
    if (semaphore.terms.type === 'BINARY') await transfers.run({ tenant }, signal);
    else await allocations.run(partyOf(caller), signal);
    return reply({});
  };
}
