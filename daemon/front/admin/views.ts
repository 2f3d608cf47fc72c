/** Views: decoded answers in the format of the JSON pages (schemas.ts). */
import { type Decoded, uuidText } from '@vkmemd/proto';
import type * as schemas from './schemas.js';

/** An enumerator of the contract without its type's name. */
const short = (prefix: string, value: unknown): string => String(value).replace(prefix, '');

/** ISO 8601 in UTC, of a time that is always set. */
function isoTime(time: Decoded<'Allocation'>['createdAt']): string {
  const { seconds, nanos } = time ?? { seconds: 0n, nanos: 0 };
  return new Date(Number(seconds) * 1000 + Math.round(nanos / 1e6)).toISOString();
}

export function readinessView(status: Decoded<'GetStatusResponse'>): schemas.ReadinessJson {
  const { ready, reasons, warnings, front } = status;
  return {
    ready,
    reasons: reasons.map(({ code, message, next }) => ({ code, message, next })),
    warnings: warnings.map(({ since, ...warning }) => ({ ...warning, since: isoTime(since) })),
    front: {
      present: front?.present ?? false,
      since: isoTime(front?.since ?? null),
      restarts: front?.restarts ?? 0,
    },
  };
}

export function devicesView(answer: Decoded<'ListDevicesResponse'>): schemas.DevicesJson {
  const { devices, daemonVersion, incarnation } = answer;
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

export function budgetView({ heaps, counts }: Decoded<'GetBudgetResponse'>): schemas.BudgetJson {
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
      limitedBy: heap.limitedBy,
    })),
    counts,
  };
}

export function allocationView(allocation: Decoded<'Allocation'>): schemas.AllocationJson {
  const { owner, ownerSessionId } = allocation;
  return {
    id: allocation.id,
    name: allocation.name,
    owner: owner?.key ?? '',
    ownerUid: allocation.ownerUid,
    ownerSessionId: ownerSessionId === 0n ? null : String(ownerSessionId),
    state: short('ALLOCATION_STATE_', allocation.state),
    lifetime: short('LIFETIME_', allocation.lifetime),
    kinds: allocation.kinds.map((kind) => short('KIND_', kind)),
    sizeBytes: String(allocation.sizeBytes),
    heapIndex: allocation.heapIndex,
    memoryTypeIndex: allocation.memoryTypeIndex,
    grants: allocation.grants,
    sharing: short('SHARING_', allocation.sharing),
    dedicated: allocation.dedicated,
    imported: allocation.imported,
    published: allocation.published,
    createdAt: isoTime(allocation.createdAt),
  };
}

export function sessionView(session: Decoded<'SessionInfo'>): schemas.SessionJson {
  const { id, tenant, uid, gid, pid, unit, clientName, beganAt, allocations, bytes, grants } = session;
  return {
    id: String(id),
    tenant: tenant?.key ?? '',
    uid,
    gid,
    pid,
    unit: unit ?? null,
    clientName,
    beganAt: isoTime(beganAt),
    allocations,
    bytes: String(bytes),
    grants,
  };
}
