/**
 * The codec of both planes: converts vkmem.v1 messages to bytes and back, with 64-bit fields as bigint, and bounds what
 * decoding costs.
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
function messageType(name: string): protobuf.Type {
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

function longOf(value: bigint, field: string): Long {
  if (value >= 0n && value <= 0x7fff_ffffn) return new Long(Number(value), 0);
  if (BigInt.asIntN(64, value) !== value && BigInt.asUintN(64, value) !== value) {
    const digits = String(value);
    const what = digits.length > 40 ? `an integer of ${digits.length} digits` : digits;
    throw new VkmemError('INVALID_ARGUMENT', `${field}: ${what} does not fit 64 bits.`, { field });
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

/**
 * Replaces each bigint by a Long. A value without bigints is returned as it is, not copied.
 * @param name Of the field that has the value, for errors.
 * @internal
 */
export function toWire(value: unknown, name = ''): unknown {
  if (typeof value === 'bigint') return longOf(value, name);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.some(isChanged) ? value.map((one) => toWire(one, name)) : value;
  let wire: Record<string, unknown> | undefined;
  for (const key in value) {
    const field = (value as Record<string, unknown>)[key];
    if (typeof field !== 'object' && typeof field !== 'bigint') continue;
    const put = toWire(field, key);
    if (put === field) continue;
    wire ??= { ...value };
    // A map may have this key, and an assignment would set the prototype.
    if (key !== '__proto__') wire[key] = put;
    else Object.defineProperty(wire, key, { value: put, enumerable: true });
  }
  return wire ?? value;
}

const isChanged = (value: unknown): boolean => typeof value === 'object' || typeof value === 'bigint';

/**
 * Encodes one message.
 * @throws VkmemError INVALID_ARGUMENT for a bigint that does not fit 64 bits.
 */
export function encode<N extends MessageName>(name: N, message: Draft<N>): Buffer {
  const type = messageType(name);
  return type.encode(type.fromObject(toWire(message) as object)).finish() as Buffer;
}

const [VARINT, FIXED64, LENGTH, FIXED32] = [0, 1, 2, 5];
const MAX_TAG_BYTES = 5;
const MAX_VARINT_BYTES = 10;
/** The size of one element, by the type of the field; all other numbers are varints. */
const FIXED_BYTES: Readonly<Record<string, number>> = {
  double: 8,
  fixed64: 8,
  sfixed64: 8,
  float: 4,
  fixed32: 4,
  sfixed32: 4,
};

/** A field, as its bytes are read. */
interface Field {
  readonly name: string;
  readonly wire: number;
  readonly repeated: boolean;
  /** May have many elements in one: those of a fixed size, or varints (0). */
  readonly packed: number | undefined;
  /** Of a nested message. */
  readonly type: protobuf.Type | undefined;
}
type Layout = ReadonlyMap<number, Field>;

const layouts = new Map<protobuf.Type, Layout>();

function layoutOf(type: protobuf.Type): Layout {
  let layout = layouts.get(type);
  if (!layout) {
    layout = new Map(type.fieldsArray.map((field) => [field.id, fieldOf(field)]));
    layouts.set(type, layout);
  }
  return layout;
}

function fieldOf(field: protobuf.Field): Field {
  const { name, map, repeated, type } = field.resolve();
  const resolved = field.resolvedType;
  const nested = resolved && 'fieldsArray' in resolved ? resolved : undefined;
  // An entry of a map is a message of its own, whose value no request nests further.
  if (map) return { name, wire: LENGTH, repeated: true, packed: undefined, type: undefined };
  if (nested || type === 'string' || type === 'bytes')
    return { name, wire: LENGTH, repeated, packed: undefined, type: nested };
  const size = FIXED_BYTES[type];
  const wire = size === undefined ? VARINT : size === 8 ? FIXED64 : FIXED32;
  return { name, wire, repeated, packed: repeated ? (size ?? 0) : undefined, type: undefined };
}

/** What a message may have, and what it costs; a row of the table of requests has them. */
export interface Bounds {
  /** The maximum size of the encoded message, in bytes. */
  readonly bytes: number;
  /** The maximum number of elements in all its repeated fields, with fields that this build does not know. */
  readonly repeated: number;
  /** The maximum depth of nested messages; the outermost counts. */
  readonly depth: number;
  /**
   * In units of the request rate: `base`, plus 1 for each `bytes` encoded bytes and 1 for each `items` of what
   * `repeated` counts.
   */
  readonly cost: { readonly base: number; readonly bytes: number; readonly items: number };
}
/** Deeper than any row permits: the pass itself goes no deeper. */
const MAX_DEPTH = 16;

class Walk {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;
  /** Elements of repeated fields, fields that the schema does not have, and repetitions of those that it has. */
  items = 0;
  deepest = 0;
  /** The last field of the outermost message that is a message itself. */
  body: string | undefined;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  refuse(why: string): never {
    throw new VkmemError('PROTOCOL_ERROR', `The bytes are not a ${this.#what}: ${why}.`);
  }

  requireAtMost(what: string, count: number, most: number): void {
    if (count <= most) return;
    const reason = `The ${this.#what} has ${count} ${what}; at most ${most} are permitted.`;
    throw new VkmemError('PROTOCOL_ERROR', reason, { limit: String(most) });
  }

  message(type: protobuf.Type, end: number, depth: number): void {
    this.deepest = Math.max(this.deepest, depth);
    this.requireAtMost('messages within each other', depth, MAX_DEPTH);
    const layout = layoutOf(type);
    let singular = 0;
    while (this.#at < end) {
      const { number, wire } = this.#tag(end);
      const field = layout.get(number);
      if (!field) {
        this.items += 1;
        this.#skip(wire, end);
        continue;
      }
      if (field.packed !== undefined && wire === LENGTH) {
        this.#packed(field.packed, this.#length(end));
        continue;
      }
      if (field.repeated) this.items += 1;
      else singular += 1;
      if (wire !== field.wire) this.refuse(`${field.name} has wire type ${wire}`);
      else if (field.type) {
        if (depth === 1) this.body = field.name;
        const inner = this.#length(end);
        this.message(field.type, inner, depth + 1);
      } else this.#skip(wire, end);
    }
    if (singular > layout.size) this.items += singular - layout.size;
  }

  #tag(end: number): { number: number; wire: number } {
    const tag = this.#varint(end, MAX_TAG_BYTES);
    const number = Math.floor(tag / 8);
    if (number === 0 || tag > 0xffff_ffff) this.refuse(`${number} is no number of a field`);
    return { number, wire: tag % 8 };
  }

  /** @returns its value, exact up to 2^53. */
  #varint(end: number, maxBytes = MAX_VARINT_BYTES): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < maxBytes; count += 1) {
      if (this.#at >= end) this.refuse('it ends within a number');
      const byte = this.#bytes[this.#at] as number;
      this.#at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    return this.refuse('a number is too long');
  }

  /** @returns where what follows ends. */
  #length(end: number): number {
    const length = this.#varint(end);
    if (length > end - this.#at) this.refuse('a length is beyond its end');
    return this.#at + length;
  }

  #skip(wire: number, end: number): void {
    if (wire === VARINT) this.#varint(end);
    else if (wire === LENGTH) this.#at = this.#length(end);
    else if (wire === FIXED64 || wire === FIXED32) {
      this.#at += wire === FIXED64 ? 8 : 4;
      if (this.#at > end) this.refuse('it ends within a number');
    } else this.refuse(`${wire} is no wire type`);
  }

  /** Counts the elements up to `end`; none of them count as one. @param size Of each; 0: varints. */
  #packed(size: number, end: number): void {
    let count = 0;
    if (size > 0) {
      if ((end - this.#at) % size !== 0) this.refuse('it ends within a number');
      count = (end - this.#at) / size;
      this.#at = end;
    } else {
      for (; this.#at < end; count += 1) this.#varint(end);
    }
    this.items += Math.max(1, count);
  }
}

/**
 * What a message costs, before it is decoded: decoding makes an object for each element of two bytes. One pass, which
 * allocates nothing, counts what decoding would make, and refuses what the decoder would read otherwise.
 * @param boundsOf Called with the last field of the message that is a message itself, which is the body of a request
 *   on the handoff socket.
 * @returns units of the rate of requests.
 * @throws VkmemError PROTOCOL_ERROR if the bytes are no such message, or not within the bounds.
 */
export function costOf(
  name: MessageName,
  data: Uint8Array,
  boundsOf: (body: string | undefined) => Bounds,
): number {
  const walk = new Walk(data, name);
  walk.message(messageType(name), data.byteLength, 1);
  const { bytes, repeated, depth, cost } = boundsOf(walk.body);
  walk.requireAtMost('bytes', data.byteLength, bytes);
  walk.requireAtMost('elements of repeated fields, and unknown fields', walk.items, repeated);
  walk.requireAtMost('messages within each other', walk.deepest, depth);
  return cost.base + Math.floor(data.byteLength / cost.bytes) + Math.floor(walk.items / cost.items);
}

/**
 * Decodes one message that a peer sent.
 * @throws VkmemError PROTOCOL_ERROR where the bytes are not that message.
 */
export function decode<N extends MessageName>(name: N, bytes: Uint8Array): Decoded<N> {
  let message: object;
  try {
    const type = messageType(name);
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
