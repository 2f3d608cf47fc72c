/**
 * What a grant says of itself: everything that whoever has its handle needs to know, to map or to import it.
 */
import { type AccessName, accessToWire, type Decoded, kindToWire, timestamp } from '@vkmemd/proto';
import { describeRequirements, describeResource } from '../../requests/parse-resource.js';
import { type ExportedHandle, LAYOUT_GENERAL, type MemoryPlan } from '../../vulkan/device.js';
import type { GrantRecord } from '../allocation/allocation.js';
import { readOnlyIsEnforced } from '../authority.js';
import type { Domain } from '../domain.js';
import type { Caller } from '../session/caller.js';

/** The grant as the contract describes it. @param handle what was exported for it. */
export function describeGrant(
  domain: Domain,
  caller: Caller,
  record: GrantRecord,
  handle: ExportedHandle,
  access: AccessName,
): Decoded<'Grant'> {
  const { memory, id } = record.allocation;
  const { plan } = memory;
  const { deviceUuid, driverUuid } = memory.madeBy ?? domain.device.info;
  // A dma-buf is the same open file for everybody who has it.
  const memfd = record.kind === 'MAPPABLE' && !handle.dmaBufSync;
  const { published } = record.allocation.publication;
  const closed = !plan.hints?.reopenable && readOnlyIsEnforced(caller.identity);
  const enforced = memfd && (published || closed);
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
    deviceUuid: Buffer.from(deviceUuid),
    driverUuid: Buffer.from(driverUuid),
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
