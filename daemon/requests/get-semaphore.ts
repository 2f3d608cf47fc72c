/** GetSemaphore: describes a semaphore that the caller may see, with the counter of a timeline. */
import type { Semaphores } from '../memory/semaphore/semaphores.js';
import { type Handler, reply } from './handler.js';

/** @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_ARGUMENT, or as the driver fails. */
export function getSemaphore({ semaphores }: { readonly semaphores: Semaphores }): Handler<'GetSemaphore'> {
  return async (caller, request) => {
    const semaphore = semaphores.find(request.semaphore, caller.identity, 'see');
    const counts = semaphore.terms.type === 'TIMELINE' && semaphore.state === 'LIVE';
    const value = counts ? await semaphore.device.value() : 0n;
    return reply({ semaphore: semaphore.describe(), value });
  };
}
