/**
 * The contract's constants and the names that programs use for its messages.
 *
 * People and programs write kinds, lifetimes and access without the schema's prefixes ('MAPPABLE', 'NAMED', 'rw');
 * the tables here are the only translation.
 */
import type { Decoded } from './codec.js';

/** The protocol version that this build speaks on the handoff socket. */
export const PROTOCOL_VERSION = 1;
/** The largest datagram on the handoff socket, in bytes. */
export const MAX_MESSAGE_BYTES = 65_536;
/** The most file descriptors that one datagram of the daemon carries: one for each kind. */
export const MAX_MESSAGE_FDS = 4;
/** The gRPC metadata key of a session token. */
export const SESSION_METADATA = 'vkmem-session';
/** The gRPC metadata key of the protocol version that a client was built for; where it is absent, this one. */
export const VERSION_METADATA = 'vkmem-protocol-version';
/** The sockets' names inside the runtime folder. */
export const HANDOFF_SOCKET = 'handoff.sock';
export const CONTROL_SOCKET = 'control.sock';

export type Allocation = Decoded<'Allocation'>;
export type Grant = Decoded<'Grant'>;
export type Device = Decoded<'Device'>;
export type HeapBudget = Decoded<'HeapBudget'>;
export type Counts = Decoded<'Counts'>;
export type AllocationRef = Decoded<'AllocationRef'>;

/** The kinds as people write them. */
export const KIND_NAMES = ['MAPPABLE', 'OPAQUE_FD', 'DMA_BUF', 'RDMA_ADDRESS'] as const;
export type KindName = (typeof KIND_NAMES)[number];

export type LifetimeName = 'SESSION' | 'NAMED';
/** 'rw': read and write; 'ro': read only. */
export type AccessName = 'rw' | 'ro';

/** A kind as the schema writes it. */
export const kindToWire = (kind: KindName): `KIND_${KindName}` => `KIND_${kind}`;

/** A kind as people write it; undefined for what this build does not know. */
export function kindFromWire(kind: unknown): KindName | undefined {
  return KIND_NAMES.find((name) => kindToWire(name) === kind);
}

export const accessToWire = (access: AccessName): 'ACCESS_READ_WRITE' | 'ACCESS_READ_ONLY' =>
  access === 'ro' ? 'ACCESS_READ_ONLY' : 'ACCESS_READ_WRITE';

/** google.protobuf.Timestamp of a moment in milliseconds since 1970. */
export function timestamp(ms: number): { seconds: bigint; nanos: number } {
  const whole = Math.floor(ms / 1000);
  return { seconds: BigInt(whole), nanos: Math.round((ms - whole * 1000) * 1e6) };
}

/** 16 bytes as the usual text of a UUID. */
export function uuidText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
