/** FreeSemaphore: ends a semaphore that the caller may use. Handles that were granted stay with their holders. */
import type { SemaphoreLifecycle } from '../memory/semaphore/lifecycle.js';
import type { Semaphores } from '../memory/semaphore/semaphores.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly semaphores: Semaphores;
  readonly semaphoreLifecycle: SemaphoreLifecycle;
}

/** @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_ARGUMENT, LEDGER_FULL. */
export function freeSemaphore({ semaphores, semaphoreLifecycle }: Collaborators): Handler<'FreeSemaphore'> {
  return async (caller, request) => {
    const semaphore = semaphores.find(request.semaphore, caller.identity, 'use');
    await semaphoreLifecycle.free(semaphore);
    return reply({ semaphore: semaphore.describe() });
  };
}
