/** The description of a grant: everything that the receiver of its handle needs to map or to import it. */
import { ACCESS_ON_WIRE, type Decoded, KINDS_ON_WIRE, timestamp } from '@vkmemd/proto';
import type { Identity } from '../../policy/identity.js';
import {
  type DeviceInfo,
  type ExportedHandle,
  LAYOUT_GENERAL,
  type MemoryPlan,
} from '../../vulkan/device.js';
import { describePages, describeRequirements, describeResource } from '../allocation/description.js';
import { readOnlyIsEnforced } from '../authority.js';
import type { GrantRecord } from './record.js';

/**
 * The grant as the contract describes it.
 * @param identity of the session's user.
 * @param handle the exported handle; not consumed.
 */
export function describeGrant(
  info: DeviceInfo,
  identity: Identity,
  { id, allocation, kind, access, fds }: GrantRecord,
  handle: ExportedHandle,
): Decoded<'Grant'> {
  const { memory } = allocation;
  const { plan } = memory;
  const { deviceUuid, driverUuid } = memory.madeBy ?? info;
  // All holders of a dma-buf share one open file, so access through it cannot be restricted for one of them.
  const memfd = kind === 'MAPPABLE' && !handle.dmaBufSync;
  const closed = !plan.hints?.reopenable && readOnlyIsEnforced(identity);
  const enforced = memfd && (allocation.publication?.published || closed);
  const strength = enforced ? 'READ_ONLY_STRENGTH_ENFORCED' : 'READ_ONLY_STRENGTH_ADVISORY';
  return {
    id,
    allocationId: allocation.id,
    kind: KINDS_ON_WIRE[kind],
    access: ACCESS_ON_WIRE[access],
    readOnly: access === 'ro' ? strength : 'READ_ONLY_STRENGTH_UNSPECIFIED',
    fdCount: fds,
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
    requirements: plan.requirements ? describeRequirements(plan) : null,
    ...(plan.resource ? toImport(plan) : {}),
    ...(plan.pages ? describePages(plan) : NO_PAGES),
  };
}

/** What an importer must repeat of the resource, and what it must know about an image. */
function toImport({ resource, planes = [] }: MemoryPlan): Pick<Decoded<'Grant'>, 'buffer' | 'image'> {
  const { buffer, image } = describeResource(resource);
  if (!image) return buffer ? { buffer } : {};
  return {
    image: {
      description: image,
      // A modifier and its planes mean the same to every driver.
      sameDeviceAndDriver: image.tiling !== 'IMAGE_TILING_DRM_FORMAT_MODIFIER',
      layoutForOtherApis: LAYOUT_GENERAL,
      planes: [...planes],
    },
  };
}

/** Of memory that the driver did not allocate. */
const NO_PAGES = {
  pageSize: 'PAGE_SIZE_UNSPECIFIED',
  dedicatedBy: 'DEDICATED_BY_UNSPECIFIED',
} as const;

const CACHE_TYPES = {
  NONE: 'CACHE_TYPE_NONE',
  CACHED: 'CACHE_TYPE_CACHED',
  UNCACHED: 'CACHE_TYPE_UNCACHED',
  WC: 'CACHE_TYPE_WRITE_COMBINED',
} as const;
