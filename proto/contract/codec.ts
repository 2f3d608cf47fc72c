/**
 * The codec of both planes: converts vkmem.v1 messages to bytes and back, with 64-bit fields as bigint.
 *
 * The schemas are loaded once, at the first use, by proto-loader, which represents 64-bit fields as Long
 * objects; only this file converts them, to bigint when decoding and from bigint or number when encoding.
 * Enumerators are represented by their names; one that this build does not define stays a number, so that a
 * receiver can report it. A field that is absent from a message has its default value; an absent sub-message
 * is null or undefined.
 */
import {
  Long,
  type MessageTypeDefinition,
  type MethodDefinition,
  type PackageDefinition,
  type ServiceDefinition,
} from '@grpc/proto-loader';
import type { ProtoGrpcType as Control } from '../types/control.js';
import type { ProtoGrpcType as Handoff } from '../types/handoff.js';
import type { ProtoGrpcType as Rpc } from '../types/status.js';
import { loadContract } from './descriptor-set.js';
import { VkmemError } from './errors.js';

type Definitions = Control['vkmem']['v1'] & Handoff['vkmem']['v1'] & Rpc['google']['rpc'];
type Messages = {
  [N in keyof Definitions]: Definitions[N] extends MessageTypeDefinition<infer I, infer O> ? [I, O] : never;
};
/** The name of a message, without its package. */
export type MessageName = {
  [N in keyof Messages]: Messages[N] extends never ? never : N;
}[keyof Messages];

/** The type of a decoded message: bigint where the schema has a 64-bit integer. */
export type WithBigint<T> = T extends Long
  ? bigint
  : T extends Uint8Array | string | number | boolean | null | undefined
    ? T
    : T extends readonly (infer U)[]
      ? WithBigint<U>[]
      : { [K in keyof T]: WithBigint<T[K]> };

/**
 * The type of a message to encode: every field is optional; bigint or number where the schema has a 64-bit
 * integer.
 */
export type Encodable<T> = object extends T
  ? { readonly [K in keyof T]: Encodable<T[K]> }
  : Long extends T
    ? bigint | number | Extract<T, undefined | null>
    : T extends Uint8Array | string | number | boolean | null | undefined
      ? T
      : T extends readonly (infer U)[]
        ? readonly Encodable<U>[]
        : { readonly [K in keyof T]: Encodable<T[K]> };

/** The type of message `N` that decode() returns. */
export type Decoded<N extends MessageName> = WithBigint<Messages[N][1]>;
/** The type of message `N` that encode() accepts. */
export type Draft<N extends MessageName> = Encodable<Messages[N][0]>;

let loaded: PackageDefinition | undefined;

/** All definitions of the contract. They are loaded at the first use. */
export function packageDefinition(): PackageDefinition {
  loaded ??= loadContract({ enums: String, defaults: true, oneofs: true });
  return loaded;
}

function bigintOf({ high, low, unsigned }: Long): bigint {
  if (high === 0) return BigInt(low >>> 0);
  return (BigInt(unsigned ? high >>> 0 : high) << 32n) | BigInt(low >>> 0);
}

function longOf(value: bigint): Long {
  if (value >= 0n && value <= 0x7fff_ffffn) return new Long(Number(value), 0);
  if (BigInt.asIntN(64, value) !== value && BigInt.asUintN(64, value) !== value) {
    throw new VkmemError('INVALID_ARGUMENT', `${value} does not fit 64 bits.`);
  }
  const unsigned = value > 0x7fff_ffff_ffff_ffffn;
  return new Long(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)), unsigned);
}

function fromWire(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Long.isLong(value)) return bigintOf(value);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) value[i] = fromWire(value[i]);
    return value;
  }
  const fields = value as Record<string, unknown>;
  for (const name of Object.keys(fields)) {
    if (typeof fields[name] === 'object') fields[name] = fromWire(fields[name]);
  }
  return fields;
}

/** Replaces each bigint by a Long. A value without bigints is returned as it is, not copied. */
function toWire(value: unknown): unknown {
  if (typeof value === 'bigint') return longOf(value);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.some(isChanged) ? value.map(toWire) : value;
  let wire: Record<string, unknown> | undefined;
  for (const name in value) {
    const field = (value as Record<string, unknown>)[name];
    if (typeof field !== 'object' && typeof field !== 'bigint') continue;
    const put = toWire(field);
    if (put === field) continue;
    wire ??= { ...value };
    // A map may have this key, and an assignment would set the prototype.
    if (name !== '__proto__') wire[name] = put;
    else Object.defineProperty(wire, name, { value: put, enumerable: true });
  }
  return wire ?? value;
}

const isChanged = (value: unknown): boolean => typeof value === 'object' || typeof value === 'bigint';

function definitionOf(name: string): MessageTypeDefinition<object, object> {
  const all = packageDefinition();
  const definition = all[`vkmem.v1.${name}`] ?? all[`google.rpc.${name}`];
  return definition as MessageTypeDefinition<object, object>;
}

/** The gRPC services of the control socket. */
export type ServiceName =
  | 'MemoryService'
  | 'DeviceService'
  | 'StatusService'
  | 'PolicyService'
  | 'IvshmemService';

/**
 * Encodes one message.
 * @throws VkmemError INVALID_ARGUMENT for a bigint that does not fit 64 bits.
 */
export function encode<N extends MessageName>(name: N, message: Draft<N>): Buffer {
  return definitionOf(name).serialize(toWire(message) as object);
}

/**
 * Decodes one message that a peer sent.
 * @throws VkmemError PROTOCOL_ERROR where the bytes are not that message.
 */
export function decode<N extends MessageName>(name: N, bytes: Uint8Array): Decoded<N> {
  let message: object;
  try {
    message = definitionOf(name).deserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (cause) {
    throw new VkmemError('PROTOCOL_ERROR', `The bytes are not a ${name}: ${String(cause)}.`, {}, cause);
  }
  return fromWire(message) as Decoded<N>;
}

/**
 * The definition of a gRPC service, for `Server.addService` and `makeClientConstructor`. Its handlers and
 * clients use bigint for 64-bit integers.
 * @param name Without its package, such as 'MemoryService'.
 */
export function serviceDefinition(name: ServiceName): ServiceDefinition {
  const service = packageDefinition()[`vkmem.v1.${name}`] as ServiceDefinition;
  const wrap = (method: MethodDefinition<object, object>): MethodDefinition<object, object> => ({
    ...method,
    requestSerialize: (value) => method.requestSerialize(toWire(value) as object),
    requestDeserialize: (bytes) => fromWire(method.requestDeserialize(bytes)) as object,
    responseSerialize: (value) => method.responseSerialize(toWire(value) as object),
    responseDeserialize: (bytes) => fromWire(method.responseDeserialize(bytes)) as object,
  });
  return Object.fromEntries(
    Object.entries(service).map(([method, definition]) => [method, wrap(definition)]),
  );
}

/**
 * A google.protobuf.Timestamp.
 * @param ms Milliseconds since 1970-01-01T00:00:00Z.
 */
export function timestamp(ms: number): { seconds: bigint; nanos: number } {
  const whole = Math.floor(ms / 1000);
  return { seconds: BigInt(whole), nanos: Math.round((ms - whole * 1000) * 1e6) };
}
