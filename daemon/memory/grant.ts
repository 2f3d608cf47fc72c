/**
 * Grants: handles of an allocation given to a session, and given back.
 *
 * A grant exists from the moment its handle is made; where the session ends before it could be sent, the end of the
 * session takes it back. Each MAPPABLE grant is an open file description of its own, so that the kernel can say
 * whether it is still held.
 */
import {
  type AccessName,
  accessToWire,
  type Decoded,
  type KindName,
  kindToWire,
  type OwnedFd,
  timestamp,
  VkmemError,
} from '@vkmemd/proto';
import { type ExportedHandle, LAYOUT_GENERAL, type MemoryPlan } from '../vulkan/device.js';
import type { WithFds } from './allocate.js';
import type { Allocation, GrantRecord } from './allocation.js';
import type { Domain } from './domain.js';
import { settleIfUnheld } from './lifetime.js';
import {
  type Caller,
  partyOf,
  readOnlyIsEnforced,
  requirePresent,
  requireSession,
  requireTrust,
} from './policy.js';
import { parseAccess, parseKinds, requireKinds } from './request.js';
import { describeRequirements, describeResource } from './resource-request.js';
import type { Session } from './session.js';

/**
 * Grants kinds of an allocation that exists, by its id or name.
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, NOT_MAPPABLE, DEVICE_LOST.
 */
export async function claim(
  domain: Domain,
  caller: Caller,
  request: Decoded<'ClaimRequest'>,
): Promise<WithFds<Decoded<'ClaimResponse'>>> {
  const kinds = parseKinds(request.kinds);
  const access = parseAccess(request.access);
  const allocation = domain.registry.find(request.allocation, caller.identity);
  if (kinds.includes('MAPPABLE') && allocation.memory.imported) {
    throw new VkmemError('NOT_MAPPABLE', 'Memory that was imported is never exported to be mapped.');
  }
  requireKinds(kinds, allocation.terms.kinds);
  const work = () => grantKinds(domain, caller, allocation, kinds, access);
  // A driver that takes its time over a session's exports has threads left for the others.
  const slow = kinds.some((kind) => allocation.memory.asksDriver(kind));
  const { grants, fds } = await (slow ? domain.allocations.take(partyOf(caller), work) : work());
  return { response: { allocation: allocation.describe(), grants }, fds };
}

/**
 * Gives one grant of the caller's session back.
 * @throws VkmemError NOT_FOUND where the session has no such grant.
 */
export function release(domain: Domain, session: Session, request: Decoded<'ReleaseRequest'>): void {
  const grant = session.grants.get(request.grantId);
  if (!grant) throw new VkmemError('NOT_FOUND', `The session has no grant ${request.grantId}.`);
  dropGrant(grant);
  settleIfUnheld(domain, grant.allocation);
}

/** Makes the handles; all or none. The caller owns the fds. */
export async function grantKinds(
  domain: Domain,
  caller: Caller,
  allocation: Allocation,
  kinds: readonly KindName[],
  access: AccessName,
): Promise<{ grants: Decoded<'Grant'>[]; fds: OwnedFd[] }> {
  if (kinds.length === 0) return { grants: [], fds: [] };
  const session = requireSession(caller);
  if (kinds.includes('OPAQUE_FD')) requireTrust(domain.device.info.type, caller.identity);
  const made: GrantRecord[] = [];
  const fds: OwnedFd[] = [];
  try {
    const grants = await allocation.use(async (memory) => {
      const described: Decoded<'Grant'>[] = [];
      for (const kind of kinds) {
        const handle = await memory.export(kind, access);
        if (handle.fd) fds.push(handle.fd);
        requirePresent(caller);
        const record = { id: domain.nextGrantId(), allocation, session, kind, fds: handle.fd ? 1 : 0 };
        made.push(record);
        session.grants.set(record.id, record);
        allocation.grants.add(record);
        described.push(describe(domain, caller, record, handle, access));
      }
      return described;
    });
    return { grants, fds };
  } catch (failure) {
    for (const record of made) dropGrant(record);
    for (const fd of fds) fd.close();
    throw failure;
  }
}

/** Takes a grant off both sides. Its bytes are the allocation's business. */
export function dropGrant(grant: GrantRecord): void {
  grant.session.grants.delete(grant.id);
  grant.allocation.grants.delete(grant);
}

function describe(
  domain: Domain,
  caller: Caller,
  record: GrantRecord,
  handle: ExportedHandle,
  access: AccessName,
): Decoded<'Grant'> {
  const { memory, id } = record.allocation;
  const { plan } = memory;
  // A dma-buf is the same open file for everybody who has it.
  const enforced = record.kind === 'MAPPABLE' && !handle.dmaBufSync && readOnlyIsEnforced(caller.identity);
  const strength = enforced ? 'READ_ONLY_STRENGTH_ENFORCED' : 'READ_ONLY_STRENGTH_ADVISORY';
  return {
    id: record.id,
    allocationId: id,
    kind: kindToWire(record.kind),
    access: accessToWire(access),
    readOnly: access === 'ro' ? strength : 'READ_ONLY_STRENGTH_UNSPECIFIED',
    fdCount: record.fds,
    mapOffsetBytes: handle.mapOffset,
    mapSizeBytes: handle.mapSize,
    fileSizeBytes: handle.fileSize,
    allocationSizeBytes: memory.size,
    memoryTypeIndex: plan.memoryTypeIndex,
    memoryPropertyFlags: plan.propertyFlags,
    heapIndex: plan.heapIndex,
    dedicated: memory.dedicated,
    cacheType: CACHE_TYPES[plan.cacheType],
    deviceUuid: Buffer.from(domain.device.info.deviceUuid),
    driverUuid: Buffer.from(domain.device.info.driverUuid),
    vulkanHandleType: handle.handleType,
    grantedAt: timestamp(Date.now()),
    remoteAddress: handle.remoteAddress,
    dmaBufSync: handle.dmaBufSync,
    handleTypes: plan.handleTypes,
    requirements: describeRequirements(plan),
    ...toImport(plan),
  };
}

/** What an importer must repeat of the resource, and know of an image. */
function toImport({ resource }: MemoryPlan): Pick<Decoded<'Grant'>, 'buffer' | 'image'> {
  const { buffer, image } = describeResource(resource);
  if (!image) return buffer ? { buffer } : {};
  return {
    image: { description: image, sameDeviceAndDriver: true, layoutForOtherApis: LAYOUT_GENERAL },
  };
}

const CACHE_TYPES = {
  NONE: 'CACHE_TYPE_NONE',
  CACHED: 'CACHE_TYPE_CACHED',
  UNCACHED: 'CACHE_TYPE_UNCACHED',
  WC: 'CACHE_TYPE_WRITE_COMBINED',
} as const;
