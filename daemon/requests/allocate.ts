/** Allocate: makes an allocation and, if the plane carries fds, grants the requested kinds at once. */
import { type Decoded, type KindName, VkmemError } from '@vkmemd/proto';
import type { Creation } from '../memory/allocation/creation.js';
import type { Authority } from '../memory/authority.js';
import type { Caller } from '../memory/session/caller.js';
import type { Device, MemoryRequest } from '../vulkan/device.js';
import type { Handler } from './handler.js';
import {
  parseAccess,
  parseDedication,
  parseKinds,
  parseRequestId,
  parseSharing,
  parseTerms,
  type WantedTerms,
} from './parse.js';
import { parseHints } from './parse-hints.js';
import { parseResource } from './parse-resource.js';

/** The collaborators of a request that makes memory. */
export interface AllocateCollaborators {
  readonly authority: Authority;
  readonly device: Device;
  readonly creation: Creation;
}

/**
 * @throws VkmemError as parseAllocate(), Device.plan() and Creation.create(); INVALID_ARGUMENT for grants if
 *   the plane carries no fds.
 */
export function allocate(collaborators: AllocateCollaborators): Handler<'Allocate'> {
  return async (caller, request) => {
    if (!caller.takeCredit && request.grantKinds.length > 0) {
      const reason = 'grant_kinds is not empty, but gRPC carries no fds.';
      const next = 'Leave it empty, and claim the allocation on the handoff socket.';
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'grant_kinds' }, undefined, next);
    }
    const wanted = permitted(collaborators, caller, request);
    const { allocation, grants, fds } = await create(collaborators, caller, wanted);
    return { response: { allocation: allocation.describe(), grants }, fds };
  };
}

/** What an AllocateRequest asks for. */
export type WantedMemory = WantedTerms & MemoryRequest;

/** The parsed request. @throws VkmemError as parseAllocate(); NOT_PERMITTED. */
export function permitted(
  { authority, device }: AllocateCollaborators,
  caller: Caller,
  request: Decoded<'AllocateRequest'>,
): WantedMemory {
  const wanted = parseAllocate(request);
  if (wanted.hints && wanted.hints.hugePage > 0n)
    authority.requireOperatorOnCpu(device.info.type, caller.identity, 'HUGE_PAGES');
  return wanted;
}

/**
 * Makes the allocation and its grants.
 * @param later The kinds that are granted afterwards.
 * @throws VkmemError as Device.plan() and Creation.create().
 */
export function create(
  { device, creation }: AllocateCollaborators,
  caller: Caller,
  wanted: WantedMemory,
  later: readonly KindName[] = [],
): ReturnType<Creation['create']> {
  return creation.create(caller, wanted, async (persists) => {
    const plan = await device.plan(wanted);
    const granted = [wanted.grantKinds, later].some((kinds) => kinds.includes('OPAQUE_FD'));
    const terms = { name: wanted.name || 'session', opaqueFds: Number(persists) + Number(granted) };
    return { plan, make: () => device.allocate(plan, terms) };
  });
}

/**
 * The parsed AllocateRequest. The size is at least 1 byte, and not rounded yet; 0 with an image means the
 * size that the image needs.
 * @throws VkmemError INVALID_SIZE, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, INVALID_NAME, INVALID_ARGUMENT,
 *   HUGE_PAGES_UNAVAILABLE.
 */
export function parseAllocate(request: Decoded<'AllocateRequest'>): WantedMemory {
  const size = request.sizeBytes;
  const resource = parseResource(request.buffer, request.image);
  const needed = size === 0n && resource?.what === 'image';
  if (size <= 0n && !needed) throw new VkmemError('INVALID_SIZE', `${size} bytes were requested.`);
  const terms = parseTerms(request, parseKinds(request.kinds));
  const sharing = parseSharing(request.sharing);
  if (sharing !== 'SHARED' && terms.lifetime !== 'NAMED') {
    const reason = `The sharing ${sharing} needs the lifetime NAMED; the lifetime is ${terms.lifetime}.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'sharing' });
  }
  return {
    ...terms,
    size,
    resource,
    required: request.requiredPropertyFlags,
    preferred: request.preferredPropertyFlags,
    forbidden: request.forbiddenPropertyFlags,
    memoryTypeIndex: request.memoryTypeIndex,
    access: parseAccess(request.access),
    sharing,
    publishable: request.publishable,
    hints: parseHints(request.hints),
    dedication: parseDedication(request.dedication),
    requestId: parseRequestId(request.requestId),
  };
}
