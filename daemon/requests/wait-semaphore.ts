/** WaitSemaphore: waits until a timeline's counter is at least a value, for clients without a GPU. */
import type { Semaphores } from '../memory/semaphore/semaphores.js';
import type { SemaphoreWaits } from '../memory/semaphore/waits.js';
import { type Handler, reply } from './handler.js';
import { parseTimeout } from './parse-semaphore.js';

interface Collaborators {
  readonly semaphores: Semaphores;
  readonly semaphoreWaits: SemaphoreWaits;
}

/** @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_ARGUMENT; and as SemaphoreWaits.wait(). */
export function waitSemaphore({ semaphores, semaphoreWaits }: Collaborators): Handler<'WaitSemaphore'> {
  return async (caller, request) => {
    const timeoutMs = parseTimeout(request.timeoutMs);
    const semaphore = semaphores.find(request.semaphore, caller.identity, 'use');
    semaphore.requireTimeline('semaphore');
    await semaphoreWaits.wait(caller, [{ semaphore, value: request.value }], timeoutMs);
    return reply({ value: await semaphore.device.value() });
  };
}
