/**
 * The schemas of the JSON pages: the fields of answers, to which every answer is limited, and the parameters
 * of queries.
 *
 * 64-bit numbers (bytes, ids, driver versions) are decimal strings, because most programs represent JSON
 * numbers exactly up to 2^53 only. Times are ISO 8601 in UTC. Enumerators are the contract's, without their
 * prefixes.
 */
import { type Static, Type } from 'typebox';

const closed = { additionalProperties: false } as const;

/** A whole number of up to 64 bits. */
const Decimal = Type.String({ pattern: '^-?[0-9]+$' });
const Count = Type.Integer({ minimum: 0 });

export const REFUSAL = Type.Object(
  { code: Type.String(), message: Type.String(), next: Type.String() },
  closed,
);

const Time = Type.String({ format: 'date-time' });

export const HEALTH = Type.Object({ status: Type.Literal('ok') }, closed);

export const READINESS = Type.Object(
  {
    ready: Type.Boolean(),
    reasons: Type.Array(REFUSAL),
    warnings: Type.Array(
      Type.Object({ code: Type.String(), message: Type.String(), next: Type.String(), since: Time }, closed),
    ),
    front: Type.Object({ present: Type.Boolean(), since: Time, restarts: Count }, closed),
  },
  closed,
);

const KIND_REPORT = Type.Object(
  {
    kind: Type.String(),
    rung: Type.String(),
    via: Type.String(),
    reason: Type.String(),
    missing: Type.String(),
  },
  closed,
);

const DEVICE = Type.Object(
  {
    name: Type.String(),
    type: Type.String(),
    driverName: Type.String(),
    driverInfo: Type.String(),
    driverVersion: Type.Integer(),
    apiVersion: Type.String(),
    deviceUuid: Type.String(),
    driverUuid: Type.String(),
    heaps: Type.Array(Type.Object({ index: Count, sizeBytes: Decimal, flags: Count }, closed)),
    memoryTypes: Type.Array(Type.Object({ index: Count, heapIndex: Count, propertyFlags: Count }, closed)),
    kinds: Type.Array(KIND_REPORT),
    maxAllocationCount: Count,
    maxMappedAllocationCount: Count,
    maxAllocationSizeBytes: Decimal,
  },
  closed,
);

export const DEVICES = Type.Object(
  { daemonVersion: Type.String(), incarnation: Type.String(), devices: Type.Array(DEVICE) },
  closed,
);

const HEAP_BUDGET = Type.Object(
  {
    heapIndex: Count,
    source: Type.String(),
    pressure: Type.String(),
    sizeBytes: Decimal,
    driverBudgetBytes: Decimal,
    driverUsageBytes: Decimal,
    liveBytes: Decimal,
    drainingBytes: Decimal,
    reservedBytes: Decimal,
    availableBytes: Decimal,
    guaranteedBytes: Decimal,
    limitedBy: Type.String(),
  },
  closed,
);

const COUNTS = Type.Object(
  {
    sessions: Count,
    allocations: Count,
    drainingAllocations: Count,
    grants: Count,
    fds: Count,
    deviceMemories: Count,
    semaphores: Count,
  },
  closed,
);

export const BUDGET = Type.Object({ heaps: Type.Array(HEAP_BUDGET), counts: COUNTS }, closed);

export const ALLOCATION = Type.Object(
  {
    id: Type.String(),
    /** Empty for the lifetime SESSION. */
    name: Type.String(),
    /** The key of the tenant that owns it. */
    owner: Type.String(),
    ownerUid: Count,
    /** Null for the lifetime NAMED. */
    ownerSessionId: Type.Union([Decimal, Type.Null()]),
    state: Type.String(),
    lifetime: Type.String(),
    kinds: Type.Array(Type.String()),
    sizeBytes: Decimal,
    heapIndex: Count,
    memoryTypeIndex: Count,
    grants: Count,
    sharing: Type.String(),
    dedicated: Type.Boolean(),
    imported: Type.Boolean(),
    published: Type.Boolean(),
    createdAt: Time,
  },
  closed,
);

export const SESSION = Type.Object(
  {
    id: Decimal,
    /** The key of its tenant. */
    tenant: Type.String(),
    uid: Count,
    gid: Count,
    pid: Type.Integer(),
    /** Null if none is known. */
    unit: Type.Union([Type.String(), Type.Null()]),
    /** The name that the client chose. */
    clientName: Type.String(),
    beganAt: Time,
    /** Allocations that end with it, and their bytes. */
    allocations: Count,
    bytes: Decimal,
    grants: Count,
  },
  closed,
);

/** The position of the next page, to be passed as `after`; null on the last page. */
const Next = Type.Union([Type.String(), Type.Null()]);

export const ALLOCATIONS = Type.Object({ allocations: Type.Array(ALLOCATION), next: Next }, closed);
export const SESSIONS = Type.Object({ sessions: Type.Array(SESSION), next: Next }, closed);

export type ReadinessJson = Static<typeof READINESS>;
export type DevicesJson = Static<typeof DEVICES>;
export type BudgetJson = Static<typeof BUDGET>;
export type AllocationJson = Static<typeof ALLOCATION>;
export type SessionJson = Static<typeof SESSION>;

export const NO_QUERY = Type.Object({}, closed);

/** @param after the pattern of a page's `next`. */
export const pageQuery = (after: string) =>
  Type.Object(
    {
      /** 1 to 500, as decimal digits. */
      limit: Type.Optional(Type.String({ pattern: '^([1-9][0-9]?|[1-4][0-9]{2}|500)$' })),
      after: Type.Optional(Type.String({ pattern: after })),
    },
    closed,
  );
