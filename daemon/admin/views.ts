/**
 * Views: what there is, as the JSON pages write it, by the schemas of schemas.ts.
 */
import { uuidText } from '@vkmemd/proto';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Domain } from '../memory/domain.js';
import type { Session } from '../memory/session/session.js';
import { getBudget, listDevices } from '../requests/inspect.js';
import { inTime } from './in-time.js';
import type * as schemas from './schemas.js';

/** An enumerator of the contract without its type's name. */
const short = (prefix: string, value: unknown): string => String(value).replace(prefix, '');

export function devicesView(domain: Domain): schemas.DevicesJson {
  const { devices, daemonVersion, incarnation } = listDevices(domain);
  return {
    daemonVersion,
    incarnation,
    devices: devices.map((device) => ({
      ...device,
      type: short('DEVICE_TYPE_', device.type),
      deviceUuid: uuidText(device.deviceUuid),
      driverUuid: uuidText(device.driverUuid),
      heaps: device.heaps.map((heap) => ({ ...heap, sizeBytes: String(heap.sizeBytes) })),
      kinds: device.kinds.map((report) => ({
        ...report,
        kind: short('KIND_', report.kind),
        rung: short('RUNG_', report.rung),
      })),
      maxAllocationSizeBytes: String(device.maxAllocationSizeBytes),
    })),
  };
}

/** @throws VkmemError UNAVAILABLE where the driver does not tell its budget in time. */
export async function budgetView(domain: Domain): Promise<schemas.BudgetJson> {
  const { heaps, counts } = await inTime('The driver has not told its budget', getBudget(domain));
  if (!counts) throw new Error('a budget without counts');
  return {
    heaps: heaps.map((heap) => ({
      heapIndex: heap.heapIndex,
      source: short('BUDGET_SOURCE_', heap.source),
      pressure: short('PRESSURE_', heap.pressure),
      sizeBytes: String(heap.sizeBytes),
      driverBudgetBytes: String(heap.driverBudgetBytes),
      driverUsageBytes: String(heap.driverUsageBytes),
      liveBytes: String(heap.liveBytes),
      drainingBytes: String(heap.drainingBytes),
      reservedBytes: String(heap.reservedBytes),
      availableBytes: String(heap.availableBytes),
      guaranteedBytes: String(heap.guaranteedBytes),
    })),
    counts,
  };
}

export function allocationView(allocation: Allocation): schemas.AllocationJson {
  const { id, terms, memory, state, publication, grants, createdAt } = allocation;
  const { plan, size, dedicated, imported } = memory;
  return {
    id,
    name: terms.name,
    ownerUid: terms.ownerUid,
    ownerSessionId: terms.owner ? String(terms.owner.id) : null,
    state,
    lifetime: terms.lifetime,
    kinds: [...terms.kinds],
    sizeBytes: String(size),
    heapIndex: plan.heapIndex,
    memoryTypeIndex: plan.memoryTypeIndex,
    grants: grants.size,
    sharing: terms.sharing,
    dedicated,
    imported,
    published: publication.published,
    createdAt: new Date(createdAt).toISOString(),
  };
}

export function sessionView({
  id,
  identity,
  clientName,
  beganAt,
  owned,
  grants,
}: Session): schemas.SessionJson {
  let bytes = 0n;
  for (const { memory } of owned) bytes += memory.size;
  return {
    id: String(id),
    uid: identity.uid,
    gid: identity.gid,
    pid: identity.pid,
    unit: identity.unit ?? null,
    clientName,
    beganAt: new Date(beganAt).toISOString(),
    allocations: owned.size,
    bytes: String(bytes),
    grants: grants.size,
  };
}
