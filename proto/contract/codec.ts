/**
 * The codec of both planes: converts vkmem.v1 messages to bytes and back, with 64-bit fields as bigint.
 *
 * The schemas are loaded once, at the first use, by protobufjs, which represents 64-bit fields as Long objects;
 * only this file converts them, to bigint when decoding and from bigint or number when encoding.
 * Enumerators are represented by their names; one that this build does not define stays a number, so that a
 * receiver can report it. A field that is absent from a message has its default value; an absent sub-message
 * is null or undefined.
 */
import type { MessageTypeDefinition, Long as WireLong } from '@grpc/proto-loader';
import Long from 'long';
import protobuf from 'protobufjs/light.js';
import type { ProtoGrpcType as Control } from '../types/control.js';
import type { ProtoGrpcType as Internal } from '../types/front.js';
import type { ProtoGrpcType as Handoff } from '../types/handoff.js';
import type { ProtoGrpcType as Rpc } from '../types/status.js';
import { compiledSchemas } from './descriptor-set.js';
import { VkmemError } from './errors.js';

type Definitions = Control['vkmem']['v1'] &
  Handoff['vkmem']['v1'] &
  Internal['vkmem']['internal'] &
  Rpc['google']['rpc'];
type Messages = {
  [N in keyof Definitions]: Definitions[N] extends MessageTypeDefinition<infer I, infer O> ? [I, O] : never;
};
/** The name of a message, without its package. */
export type MessageName = {
  [N in keyof Messages]: Messages[N] extends never ? never : N;
}[keyof Messages];

/** The type of a decoded message: bigint where the schema has a 64-bit integer. */
export type WithBigint<T> = T extends WireLong
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
  : WireLong extends T
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

/** How decoded messages represent what is absent, enumerators and oneofs. */
const DECODED = { enums: String, defaults: true, oneofs: true } as const;
const PACKAGES = ['vkmem.v1', 'vkmem.internal', 'google.rpc'];

let schemas: protobuf.Root | undefined;
const types = new Map<string, protobuf.Type>();

/** Loads the schemas now, instead of at the first use. */
export function loadSchemas(): protobuf.Root {
  if (schemas) return schemas;
  // Otherwise protobufjs searches for it at run time, which a bundle has no file for.
  protobuf.util.Long = Long;
  protobuf.configure();
  schemas = protobuf.Root.fromJSON(compiledSchemas());
  return schemas;
}

/** @throws Error if the contract has no such message. */
function typeOf(name: string): protobuf.Type {
  let type = types.get(name);
  if (!type) {
    const root = loadSchemas();
    const full = PACKAGES.map((part) => `${part}.${name}`).find((path) => root.lookup(path));
    type = root.lookupType(full ?? name);
    types.set(name, type);
  }
  return type;
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

/** Replaces each Long by a bigint, in place. @internal */
export function fromWire(value: unknown): unknown {
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

/** Replaces each bigint by a Long. A value without bigints is returned as it is, not copied. @internal */
export function toWire(value: unknown): unknown {
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

/**
 * Encodes one message.
 * @throws VkmemError INVALID_ARGUMENT for a bigint that does not fit 64 bits.
 */
export function encode<N extends MessageName>(name: N, message: Draft<N>): Buffer {
  const type = typeOf(name);
  return type.encode(type.fromObject(toWire(message) as object)).finish() as Buffer;
}

/**
 * Decodes one message that a peer sent.
 * @throws VkmemError PROTOCOL_ERROR where the bytes are not that message.
 */
export function decode<N extends MessageName>(name: N, bytes: Uint8Array): Decoded<N> {
  let message: object;
  try {
    const type = typeOf(name);
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    message = type.toObject(type.decode(buffer), DECODED);
  } catch (cause) {
    throw new VkmemError('PROTOCOL_ERROR', `The bytes are not a ${name}: ${String(cause)}.`, {}, cause);
  }
  return fromWire(message) as Decoded<N>;
}

/**
 * A google.protobuf.Timestamp.
 * @param ms Milliseconds since 1970-01-01T00:00:00Z.
 */
export function timestamp(ms: number): { seconds: bigint; nanos: number } {
  const whole = Math.floor(ms / 1000);
  return { seconds: BigInt(whole), nanos: Math.round((ms - whole * 1000) * 1e6) };
}
