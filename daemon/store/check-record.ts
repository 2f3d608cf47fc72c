/**
 * Checks that a record has what a restore needs. LMDB never returns half a transaction, but a record may be
 * of another build of vkmemd, or damaged.
 */
import { KIND_NAMES } from '@vkmemd/proto';
import type {
  AllocationRecord,
  PeerRecord,
  QuotaRecord,
  SemaphoreRecord,
  ServerRecord,
  SessionRecord,
  SignalRecord,
  StoredGrant,
  TicketRecord,
} from './records.js';

type Fields = Readonly<Record<string, unknown>>;
type Test = (value: unknown) => boolean;

const text: Test = (value) => typeof value === 'string';
const filled: Test = (value) => typeof value === 'string' && value !== '';
const count: Test = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const id: Test = (value) => typeof value === 'bigint' && value > 0n;
const bytes: Test = (value) => typeof value === 'bigint' && value >= 0n;
const flag: Test = (value) => typeof value === 'boolean';
const uuid: Test = (value) => value instanceof Uint8Array && value.length === 16;
const access: Test = (value) => value === 'ro' || value === 'rw';
const kind: Test = (value) => (KIND_NAMES as readonly unknown[]).includes(value);
const absentOr =
  (test: Test): Test =>
  (value) =>
    value === undefined || test(value);
const oneOf =
  (...values: readonly unknown[]): Test =>
  (value) =>
    values.includes(value);
const listOf =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) && value.every(test);
const object =
  (fields: Readonly<Record<string, Test>>): Test =>
  (value) =>
    typeof value === 'object' && value !== null && faultOf(value as Fields, fields) === undefined;
const pair: Test = (value) =>
  Array.isArray(value) && value.length === 2 && count(value[0]) && bytes(value[1]);

/** The first field that is missing or has another type. */
function faultOf(record: Fields, fields: Readonly<Record<string, Test>>): string | undefined {
  return Object.entries(fields).find(([name, test]) => !test(record[name]))?.[0];
}

/** Names of stored fds of allocations, of signals, of semaphores, and of ivshmem (names.ts). */
const fdOfAllocation: Test = (value) => /^[ab][0-9a-z]{1,10}$/.test(String(value));
const fdOfSignal: Test = (value) => /^[ef][0-9a-z]{1,10}$/.test(String(value));
const fdOfSemaphore: Test = (value) => /^m[0-9a-z]{1,10}$/.test(String(value));
const fdOfIvshmem: Test = (value) => /^v[0-9a-z]{1,10}\.[0-9a-z]{1,2}$/.test(String(value));

const ALLOCATION = {
  id: filled,
  createdAt: count,
  state: oneOf('LIVE', 'DRAINING'),
  tenant: filled,
  terms: object({
    name: text,
    lifetime: oneOf('SESSION', 'NAMED'),
    kinds: listOf(kind),
    sharing: oneOf('SHARED', 'ONE_WRITER', 'EXCLUSIVE'),
    publishable: flag,
    requestId: text,
  }),
  owner: absentOr(id),
  maker: absentOr(id),
  plan: object({
    kinds: listOf(kind),
    size: (value: unknown) => bytes(value) && value !== 0n,
    memoryTypeIndex: count,
    heapIndex: count,
    propertyFlags: count,
    memfd: flag,
    publishable: flag,
    handleTypes: count,
    source: absentOr(oneOf('CUDA_VMM')),
    dmaBufByCuda: absentOr(uuid),
    pages: absentOr(
      object({
        size: oneOf('SMALL', 'LARGE', 'UNSPECIFIED'),
        by: oneOf('DRIVER', 'MEASUREMENT', 'REQUEST', 'DEFAULT', 'UNSPECIFIED'),
      }),
    ),
  }),
  madeBy: object({ deviceUuid: uuid, driverUuid: uuid }),
  imported: flag,
  published: absentOr(oneOf(true)),
  fds: (value: unknown) =>
    listOf(object({ name: fdOfAllocation, type: count }))(value) && (value as unknown[]).length > 0,
};

const SESSION = {
  id,
  tenant: filled,
  identity: object({ uid: count, gid: count, pid: count, groups: listOf(count) }),
  tokenHash: text,
  clientName: text,
  watched: flag,
  departed: flag,
};

const GRANT = { id, allocation: filled, session: id, kind, access, fds: count };

const TICKET = {
  id: filled,
  hash: filled,
  tenant: filled,
  expiryDate: count,
  usesLeft: count,
  terms: object({ kinds: listOf(kind), access, uses: count, forUid: absentOr(count) }),
  allocation: filled,
  semaphore: absentOr(flag),
};

const QUOTA = { tenant: filled, limits: listOf(pair), reserved: listOf(pair), counts: object({}) };

const SIGNAL = {
  hash: filled,
  session: id,
  names: (value: unknown) => listOf(fdOfSignal)(value) && (value as unknown[]).length === 2,
};

const SEMAPHORE = {
  id: filled,
  createdAt: count,
  tenant: filled,
  terms: object({
    name: text,
    lifetime: oneOf('SESSION', 'NAMED'),
    type: oneOf('TIMELINE', 'BINARY'),
    requestId: text,
  }),
  owner: absentOr(id),
  maker: absentOr(id),
  madeBy: object({ deviceUuid: uuid, driverUuid: uuid }),
  name: fdOfSemaphore,
};

const SERVER = {
  allocation: filled,
  terms: object({ vectors: count, path: filled, createdAt: count }),
  name: fdOfIvshmem,
  nextId: count,
};

const PEER = {
  server: fdOfIvshmem,
  id: count,
  session: id,
  joinedAt: count,
  names: listOf(fdOfIvshmem),
  settled: flag,
  read: flag,
};

/** @throws Error that names the first field that does not fit. */
function check(record: object, key: string, fields: Readonly<Record<string, Test>>, keyed: unknown): void {
  const fault = faultOf(record as Fields, fields);
  if (fault !== undefined) throw new Error(`its field ${fault} is missing or not valid`);
  if (String(keyed) !== key) throw new Error(`it is of ${String(keyed)}, but stored under ${key}`);
}

/** The checks, by kind of record. @throws Error that names the first field that does not fit. */
export const checks = {
  allocation: (record: AllocationRecord, key: string) => check(record, key, ALLOCATION, record.id),
  session: (record: SessionRecord, key: string) => check(record, key, SESSION, record.id),
  grant: (record: StoredGrant, key: string) => check(record, key, GRANT, record.id),
  ticket: (record: TicketRecord, key: string) => check(record, key, TICKET, record.id),
  quota: (record: QuotaRecord, key: string) => check(record, key, QUOTA, record.tenant),
  signal: (record: SignalRecord, key: string) => check(record, key, SIGNAL, record.hash),
  semaphore: (record: SemaphoreRecord, key: string) => check(record, key, SEMAPHORE, record.id),
  server: (record: ServerRecord, key: string) => check(record, key, SERVER, record.name),
  peer: (record: PeerRecord, key: string) => check(record, key, PEER, `${record.server}/${record.id}`),
};
