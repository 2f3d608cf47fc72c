/** Views: the state in the format of the JSON pages (schemas.ts). */
import { uuidText } from '@vkmemd/proto';
import type { BudgetReports } from '../memory/accounting/report.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Registry } from '../memory/allocation/registry.js';
import type { Grants } from '../memory/grant/grants.js';
import type { Session } from '../memory/session/session.js';
import { shownUid } from '../policy/tenant.js';
import { describeDevices } from '../requests/list-devices.js';
import { inTime } from './in-time.js';
import type * as schemas from './schemas.js';

/** An enumerator of the contract without its type's name. */
const short = (prefix: string, value: unknown): string => String(value).replace(prefix, '');

export function devicesView(sources: Parameters<typeof describeDevices>[0]): schemas.DevicesJson {
  const { devices, daemonVersion, incarnation } = describeDevices(sources);
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

/** @throws VkmemError UNAVAILABLE if the driver does not report its budget in time. */
export async function budgetView(reports: BudgetReports): Promise<schemas.BudgetJson> {
  const { heaps, counts } = await inTime('The driver did not report its memory budget', reports.now());
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
    owner: terms.tenant.key,
    ownerUid: shownUid(terms.tenant),
    ownerSessionId: terms.owner ? String(terms.owner.id) : null,
    state,
    lifetime: terms.lifetime,
    kinds: [...terms.kinds],
    sizeBytes: String(size),
    heapIndex: plan.heapIndex,
    memoryTypeIndex: plan.memoryTypeIndex,
    grants,
    sharing: terms.sharing,
    dedicated,
    imported,
    published: publication?.published ?? false,
    createdAt: new Date(createdAt).toISOString(),
  };
}

export function sessionView(
  session: Session,
  { registry, grants }: { readonly registry: Registry; readonly grants: Grants },
): schemas.SessionJson {
  const { id, identity, clientName, beganAt } = session;
  const owned = registry.ownedBy(session);
  let bytes = 0n;
  for (const { memory } of owned) bytes += memory.size;
  return {
    id: String(id),
    tenant: identity.tenant.key,
    uid: identity.uid,
    gid: identity.gid,
    pid: identity.pid,
    unit: identity.unit ?? null,
    clientName,
    beganAt: new Date(beganAt).toISOString(),
    allocations: owned.size,
    bytes: String(bytes),
    grants: grants.sizeOf(session),
  };
}
