/**
 * The constants of the contract, and the short names of its enumerators.
 *
 * People and programs write kinds, lifetimes and access without the schema's prefixes ('MAPPABLE', 'NAMED',
 * 'rw'), and Vulkan's memory properties without VK_MEMORY_PROPERTY_ and _BIT ('HOST_VISIBLE'). Only the
 * tables in this file translate them.
 */
import type { Access__Output } from '../types/vkmem/v1/Access.js';
import type { AllocationEvent__Output } from '../types/vkmem/v1/AllocationEvent.js';
import type { AllocationSource__Output } from '../types/vkmem/v1/AllocationSource.js';
import type { AllocationState__Output } from '../types/vkmem/v1/AllocationState.js';
import type { BudgetSource__Output } from '../types/vkmem/v1/BudgetSource.js';
import type { CacheType__Output } from '../types/vkmem/v1/CacheType.js';
import type { DedicatedBy__Output } from '../types/vkmem/v1/DedicatedBy.js';
import type { DeviceType__Output } from '../types/vkmem/v1/DeviceType.js';
import type { ImageTiling__Output } from '../types/vkmem/v1/ImageTiling.js';
import type { ImageType__Output } from '../types/vkmem/v1/ImageType.js';
import type { Kind__Output } from '../types/vkmem/v1/Kind.js';
import type { Lifetime__Output } from '../types/vkmem/v1/Lifetime.js';
import type { MetricType__Output } from '../types/vkmem/v1/MetricType.js';
import type { PageSize__Output } from '../types/vkmem/v1/PageSize.js';
import type { Pressure__Output } from '../types/vkmem/v1/Pressure.js';
import type { ReadOnlyStrength__Output } from '../types/vkmem/v1/ReadOnlyStrength.js';
import type { Rung__Output } from '../types/vkmem/v1/Rung.js';
import type { SemaphoreKind__Output } from '../types/vkmem/v1/SemaphoreKind.js';
import type { SemaphoreState__Output } from '../types/vkmem/v1/SemaphoreState.js';
import type { SemaphoreType__Output } from '../types/vkmem/v1/SemaphoreType.js';
import type { Sharing__Output } from '../types/vkmem/v1/Sharing.js';
import type { Decoded } from './codec.js';

/** The protocol version of this build on the handoff socket. */
export const PROTOCOL_VERSION = 1;
/** The largest datagram on the handoff socket, in bytes. */
export const MAX_MESSAGE_BYTES = 65_536;
/** The maximum number of fds in one datagram of the daemon: one for each kind. */
export const MAX_MESSAGE_FDS = 4;
/**
 * Maximum number of requests in an AllocateMany or a ClaimMany, and of fds in one message of its answer: the kernel
 * passes no more in a datagram (SCM_MAX_FD).
 */
export const MAX_MANY = 253;
/** The gRPC metadata key of a session token. */
export const SESSION_METADATA = 'vkmem-session';
/**
 * The gRPC metadata key of the protocol version that a client was built for; absent means PROTOCOL_VERSION.
 */
export const VERSION_METADATA = 'vkmem-protocol-version';
/**
 * The name of the device in gRPC's health service, which reports SERVING, or NOT_SERVING while the device is
 * lost.
 */
export const DEVICE_HEALTH = 'device';
/** The file name of the handoff socket in the runtime folder. */
export const HANDOFF_SOCKET = 'handoff.sock';
/** The file name of the control socket in the runtime folder. */
export const CONTROL_SOCKET = 'control.sock';
/** The file name of the admin socket in the runtime folder. */
export const ADMIN_SOCKET = 'admin.sock';
/** The name of the folder that has the sockets for virtual machines. */
export const IVSHMEM_FOLDER = 'ivshmem';
/** The environment variable that has the number of the inherited fd of a session. */
export const SESSION_FD_VARIABLE = 'VKMEM_SESSION_FD';
/**
 * The environment variable that has the path of the session's socket. Set where the inheriting process can
 * reach the socket to reconnect.
 */
export const SESSION_PATH_VARIABLE = 'VKMEM_SESSION_PATH';
/**
 * The environment variable that has the allocations of the inheriting process: a JSON object that maps labels
 * to allocation ids.
 */
export const ALLOCATIONS_VARIABLE = 'VKMEM_ALLOCATIONS';

/** A decoded vkmem.v1.Allocation; see proto/vkmem/v1/memory.proto. */
export type Allocation = Decoded<'Allocation'>;
/** A decoded vkmem.v1.Grant; see proto/vkmem/v1/memory.proto. */
export type Grant = Decoded<'Grant'>;
/** A decoded vkmem.v1.Device; see proto/vkmem/v1/control.proto. */
export type Device = Decoded<'Device'>;
/** A decoded vkmem.v1.HeapBudget; see proto/vkmem/v1/control.proto. */
export type HeapBudget = Decoded<'HeapBudget'>;
/** A decoded vkmem.v1.Counts; see proto/vkmem/v1/memory.proto. */
export type Counts = Decoded<'Counts'>;
/** A decoded vkmem.v1.AllocationRef; see proto/vkmem/v1/memory.proto. */
export type AllocationRef = Decoded<'AllocationRef'>;

/** The enumerations of the schema. A decoded enumerator that this build does not define is a number. */
export type {
  Access__Output as Access,
  AllocationEvent__Output as AllocationEvent,
  AllocationSource__Output as AllocationSource,
  AllocationState__Output as AllocationState,
  BudgetSource__Output as BudgetSource,
  CacheType__Output as CacheType,
  DedicatedBy__Output as DedicatedBy,
  DeviceType__Output as DeviceType,
  ImageTiling__Output as ImageTiling,
  ImageType__Output as ImageType,
  Kind__Output as Kind,
  Lifetime__Output as Lifetime,
  MetricType__Output as MetricType,
  PageSize__Output as PageSize,
  Pressure__Output as Pressure,
  ReadOnlyStrength__Output as ReadOnlyStrength,
  Rung__Output as Rung,
  SemaphoreKind__Output as SemaphoreKind,
  SemaphoreState__Output as SemaphoreState,
  SemaphoreType__Output as SemaphoreType,
  Sharing__Output as Sharing,
};

/** The short names of the kinds. */
export const KIND_NAMES = ['MAPPABLE', 'OPAQUE_FD', 'DMA_BUF', 'RDMA_ADDRESS'] as const;
/** The short name of a kind. */
export type KindName = (typeof KIND_NAMES)[number];

/** SESSION: the allocation ends with its session. NAMED: it stays until its owner or an operator frees it. */
export type LifetimeName = 'SESSION' | 'NAMED';
/** 'rw': read and write; 'ro': read only. */
export type AccessName = 'rw' | 'ro';
/**
 * The short names of the sharing modes. SHARED: any number of sessions hold grants for reading and writing.
 * ONE_WRITER: one session writes while any number read. EXCLUSIVE: one session writes, or any number read.
 */
export const SHARING_NAMES = ['SHARED', 'ONE_WRITER', 'EXCLUSIVE'] as const;
/** The short name of a sharing mode. */
export type SharingName = (typeof SHARING_NAMES)[number];
/**
 * When memory that the driver allocates is dedicated to one buffer or image. AUTO: where the driver requires or
 * prefers it, or the pages are larger then. NEVER: only where the driver requires it, which is refused. ALWAYS.
 */
export const DEDICATION_NAMES = ['AUTO', 'NEVER', 'ALWAYS'] as const;
/** The short name of a dedication. */
export type DedicationName = (typeof DEDICATION_NAMES)[number];

/** The short names of the types of semaphores. */
export const SEMAPHORE_TYPE_NAMES = ['TIMELINE', 'BINARY'] as const;
/** The short name of a type of semaphore. */
export type SemaphoreTypeName = (typeof SEMAPHORE_TYPE_NAMES)[number];
/** The short names of the kinds of semaphores. */
export const SEMAPHORE_KIND_NAMES = ['OPAQUE_FD', 'SYNC_FD'] as const;
/** The short name of a kind of semaphore. */
export type SemaphoreKindName = (typeof SEMAPHORE_KIND_NAMES)[number];

/** The schema's enumerators of the kinds, by their short names. */
export const KINDS_ON_WIRE = {
  MAPPABLE: 'KIND_MAPPABLE',
  OPAQUE_FD: 'KIND_OPAQUE_FD',
  DMA_BUF: 'KIND_DMA_BUF',
  RDMA_ADDRESS: 'KIND_RDMA_ADDRESS',
} as const satisfies Readonly<Record<KindName, `KIND_${KindName}`>>;
/**
 * The short names of the kinds, by the schema's enumerators. Kinds that this build does not define are
 * absent.
 */
export const KINDS_BY_WIRE: ReadonlyMap<unknown, KindName> = new Map(
  KIND_NAMES.map((name) => [KINDS_ON_WIRE[name], name]),
);
/** The schema's enumerators of access, by their short names. */
export const ACCESS_ON_WIRE = {
  rw: 'ACCESS_READ_WRITE',
  ro: 'ACCESS_READ_ONLY',
} as const satisfies Readonly<Record<AccessName, string>>;

/** The schema's enumerator of a kind. */
export const kindToWire = (kind: KindName): `KIND_${KindName}` => KINDS_ON_WIRE[kind];
/** The short name of a kind; undefined for a kind that this build does not define. */
export const kindFromWire = (kind: unknown): KindName | undefined => KINDS_BY_WIRE.get(kind);
/** The schema's enumerator of an access. */
export const accessToWire = (access: AccessName): 'ACCESS_READ_WRITE' | 'ACCESS_READ_ONLY' =>
  ACCESS_ON_WIRE[access];

/** The short names of Vulkan's memory properties: VkMemoryPropertyFlagBits, from bit 0. */
export const PROPERTY_FLAG_NAMES = [
  'DEVICE_LOCAL',
  'HOST_VISIBLE',
  'HOST_COHERENT',
  'HOST_CACHED',
  'LAZILY_ALLOCATED',
  'PROTECTED',
  'DEVICE_COHERENT_AMD',
  'DEVICE_UNCACHED_AMD',
  'RDMA_CAPABLE_NV',
] as const;
/** The short name of a memory property. */
export type PropertyFlagName = (typeof PROPERTY_FLAG_NAMES)[number];

/** The VkMemoryPropertyFlags of the named properties. */
export function propertyFlagsToWire(names: readonly PropertyFlagName[]): number {
  return names.reduce((flags, name) => flags | (1 << PROPERTY_FLAG_NAMES.indexOf(name)), 0);
}

/**
 * The names of the bits that are set. A bit without a name is written as its number: 'BIT_9'.
 * @param names Names of the bits, from bit 0. Default: those of VkMemoryPropertyFlags.
 */
export function flagNames(flags: number, names: readonly string[] = PROPERTY_FLAG_NAMES): string[] {
  return Array.from({ length: 32 }, (_, bit) => bit)
    .filter((bit) => (flags >>> bit) % 2 === 1)
    .map((bit) => names[bit] ?? `BIT_${bit}`);
}

/**
 * The hexadecimal digits of a UUID of a device, or the first of them: with or without dashes, in any case, and as
 * nvidia-smi writes it (`GPU-`, then the UUID). Other texts are returned in small letters.
 */
export function uuidDigits(text: string): string {
  const digits = text
    .trim()
    .toLowerCase()
    .replace(/^gpu-(?=[0-9a-f]{8})/, '');
  return /^[0-9a-f-]+$/.test(digits) ? digits.replaceAll('-', '') : digits;
}

/**
 * The text of a UUID: 36 characters, RFC 9562.
 * @param bytes 16 bytes.
 */
export function uuidText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
