/**
 * The contract's constants and the names that programs use for its messages.
 *
 * People and programs write kinds, lifetimes and access without the schema's prefixes ('MAPPABLE', 'NAMED',
 * 'rw'), and Vulkan's memory properties without VK_MEMORY_PROPERTY_ and _BIT ('HOST_VISIBLE'); the tables
 * here are the only translation.
 */
import type { Access__Output } from '../types/vkmem/v1/Access.js';
import type { AllocationEvent__Output } from '../types/vkmem/v1/AllocationEvent.js';
import type { AllocationState__Output } from '../types/vkmem/v1/AllocationState.js';
import type { BudgetSource__Output } from '../types/vkmem/v1/BudgetSource.js';
import type { CacheType__Output } from '../types/vkmem/v1/CacheType.js';
import type { DeviceType__Output } from '../types/vkmem/v1/DeviceType.js';
import type { ImageTiling__Output } from '../types/vkmem/v1/ImageTiling.js';
import type { ImageType__Output } from '../types/vkmem/v1/ImageType.js';
import type { Kind__Output } from '../types/vkmem/v1/Kind.js';
import type { Lifetime__Output } from '../types/vkmem/v1/Lifetime.js';
import type { Pressure__Output } from '../types/vkmem/v1/Pressure.js';
import type { ReadOnlyStrength__Output } from '../types/vkmem/v1/ReadOnlyStrength.js';
import type { Rung__Output } from '../types/vkmem/v1/Rung.js';
import type { Sharing__Output } from '../types/vkmem/v1/Sharing.js';
import type { Decoded } from './codec.js';

/** The protocol version of this build on the handoff socket. */
export const PROTOCOL_VERSION = 1;
/** The largest datagram on the handoff socket, in bytes. */
export const MAX_MESSAGE_BYTES = 65_536;
/** The maximum number of file descriptors in one datagram of the daemon: one for each kind. */
export const MAX_MESSAGE_FDS = 4;
/** The gRPC metadata key of a session token. */
export const SESSION_METADATA = 'vkmem-session';
/**
 * The gRPC metadata key of the protocol version that a client was built for; absent means PROTOCOL_VERSION.
 */
export const VERSION_METADATA = 'vkmem-protocol-version';
/** The name of the device in gRPC's health service: SERVING, or NOT_SERVING while it is lost. */
export const DEVICE_HEALTH = 'device';
/** The sockets' names inside the runtime folder. */
export const HANDOFF_SOCKET = 'handoff.sock';
export const CONTROL_SOCKET = 'control.sock';
export const ADMIN_SOCKET = 'admin.sock';
/** The folder of the sockets for virtual machines. */
export const IVSHMEM_FOLDER = 'ivshmem';
/** The environment variable with the number of the inherited fd of a session. */
export const SESSION_FD_VARIABLE = 'VKMEM_SESSION_FD';
/**
 * The environment variable with the path of the session's socket, where the inheriting process can reach it
 * to connect again.
 */
export const SESSION_PATH_VARIABLE = 'VKMEM_SESSION_PATH';
/** The environment variable with the inheriting process's allocations: a JSON object of labels and ids. */
export const ALLOCATIONS_VARIABLE = 'VKMEM_ALLOCATIONS';

export type Allocation = Decoded<'Allocation'>;
export type Grant = Decoded<'Grant'>;
export type Device = Decoded<'Device'>;
export type HeapBudget = Decoded<'HeapBudget'>;
export type Counts = Decoded<'Counts'>;
export type AllocationRef = Decoded<'AllocationRef'>;

/** The enums of messages, as the schema writes them. A decoded enum that this build does not know is a number. */
export type {
  Access__Output as Access,
  AllocationEvent__Output as AllocationEvent,
  AllocationState__Output as AllocationState,
  BudgetSource__Output as BudgetSource,
  CacheType__Output as CacheType,
  DeviceType__Output as DeviceType,
  ImageTiling__Output as ImageTiling,
  ImageType__Output as ImageType,
  Kind__Output as Kind,
  Lifetime__Output as Lifetime,
  Pressure__Output as Pressure,
  ReadOnlyStrength__Output as ReadOnlyStrength,
  Rung__Output as Rung,
  Sharing__Output as Sharing,
};

/** The kinds as people write them. */
export const KIND_NAMES = ['MAPPABLE', 'OPAQUE_FD', 'DMA_BUF', 'RDMA_ADDRESS'] as const;
export type KindName = (typeof KIND_NAMES)[number];

export type LifetimeName = 'SESSION' | 'NAMED';
/** 'rw': read and write; 'ro': read only. */
export type AccessName = 'rw' | 'ro';
/** Who may hold grants at the same time: anybody; one writer and any readers; one writer or any readers. */
export const SHARING_NAMES = ['SHARED', 'ONE_WRITER', 'EXCLUSIVE'] as const;
export type SharingName = (typeof SHARING_NAMES)[number];

/** Kinds as the schema writes them. */
export const KINDS_ON_WIRE = {
  MAPPABLE: 'KIND_MAPPABLE',
  OPAQUE_FD: 'KIND_OPAQUE_FD',
  DMA_BUF: 'KIND_DMA_BUF',
  RDMA_ADDRESS: 'KIND_RDMA_ADDRESS',
} as const satisfies Readonly<Record<KindName, `KIND_${KindName}`>>;
/** Kinds as people write them, by what the schema writes; it has none that this build does not know. */
export const KINDS_BY_WIRE: ReadonlyMap<unknown, KindName> = new Map(
  KIND_NAMES.map((name) => [KINDS_ON_WIRE[name], name]),
);
/** Access as the schema writes it. */
export const ACCESS_ON_WIRE = {
  rw: 'ACCESS_READ_WRITE',
  ro: 'ACCESS_READ_ONLY',
} as const satisfies Readonly<Record<AccessName, string>>;

/** A kind as the schema writes it. */
export const kindToWire = (kind: KindName): `KIND_${KindName}` => KINDS_ON_WIRE[kind];
/** A kind as people write it; undefined for a kind that this build does not know. */
export const kindFromWire = (kind: unknown): KindName | undefined => KINDS_BY_WIRE.get(kind);
export const accessToWire = (access: AccessName): 'ACCESS_READ_WRITE' | 'ACCESS_READ_ONLY' =>
  ACCESS_ON_WIRE[access];

/** Vulkan's memory properties as people write them: VkMemoryPropertyFlagBits, from bit 0. */
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
export type PropertyFlagName = (typeof PROPERTY_FLAG_NAMES)[number];

/** VkMemoryPropertyFlags of names. */
export function propertyFlagsToWire(names: readonly PropertyFlagName[]): number {
  return names.reduce((flags, name) => flags | (1 << PROPERTY_FLAG_NAMES.indexOf(name)), 0);
}

/**
 * The names of the bits that are set; a bit without a name by its number: 'BIT_9'.
 * @param names Of the bits, from bit 0. Default: of VkMemoryPropertyFlags.
 */
export function flagNames(flags: number, names: readonly string[] = PROPERTY_FLAG_NAMES): string[] {
  return Array.from({ length: 32 }, (_, bit) => bit)
    .filter((bit) => (flags >>> bit) % 2 === 1)
    .map((bit) => names[bit] ?? `BIT_${bit}`);
}

/** 16 bytes as the usual text of a UUID. */
export function uuidText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
