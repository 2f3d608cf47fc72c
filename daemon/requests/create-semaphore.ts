/** CreateSemaphore: creates a timeline or a binary semaphore and, if the plane carries fds, grants its OPAQUE_FD. */
import { type RequestOf, VkmemError } from '@vkmemd/proto';
import type { SemaphoreLifecycle, WantedSemaphore } from '../memory/semaphore/lifecycle.js';
import type { Device } from '../vulkan/device.js';
import type { Handler } from './handler.js';
import { parseNamed, parseRequestId } from './parse.js';
import { describeSemaphoreGrant, parseSemaphoreKinds, parseSemaphoreType } from './parse-semaphore.js';

interface Collaborators {
  readonly device: Pick<Device, 'info'>;
  readonly semaphoreLifecycle: SemaphoreLifecycle;
}

/** @throws VkmemError as parseCreate() and SemaphoreLifecycle.create(); INVALID_ARGUMENT for a grant without fds. */
export function createSemaphore(collaborators: Collaborators): Handler<'CreateSemaphore'> {
  const { device, semaphoreLifecycle } = collaborators;
  return async (caller, request) => {
    const wanted = parseCreate(request);
    if (request.grant && !caller.takeCredit) {
      const next = 'Leave it out, and claim the semaphore on the handoff socket.';
      const reason = 'grant is set, but gRPC carries no fds.';
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'grant' }, undefined, next);
    }
    const { semaphore, fd } = await semaphoreLifecycle.create(caller, wanted, request.grant);
    const { kind } = wanted;
    const grant = fd && kind ? describeSemaphoreGrant(device.info, kind, 1) : null;
    return { response: { semaphore: semaphore.describe(), grant }, fds: fd ? [fd] : [] };
  };
}

/** @throws VkmemError INVALID_ARGUMENT, INVALID_NAME, KIND_UNSUPPORTED, KINDS_EXCLUSIVE. */
function parseCreate(request: RequestOf<'CreateSemaphore'>): WantedSemaphore {
  const type = parseSemaphoreType(request.type);
  const kind = parseSemaphoreKinds(request.kinds, type);
  const { initialValue: initial, grant } = request;
  if (type === 'BINARY' && initial !== 0n) {
    const reason = `initial_value is ${initial}; a binary semaphore begins unsignalled.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'initial_value' });
  }
  if (grant && kind !== 'OPAQUE_FD') {
    const reason = 'grant is set, but kinds does not have SEMAPHORE_KIND_OPAQUE_FD.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'grant' });
  }
  return { type, kind, initial, ...parseNamed(request), requestId: parseRequestId(request.requestId) };
}
