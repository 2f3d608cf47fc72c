/**
 * Generates random messages of every type of the contract from the schemas as buf reads them, so
 * independently of the codec.
 *
 * The messages have the form that decode() returns: all fields present; 64-bit integers as bigint, often at
 * the edges of their range; unknown enumerators as numbers; at most one field of each oneof, and its name
 * beside it. A field type that the contract does not use yet throws until it is added here. No message
 * contains itself.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type fastCheck from 'fast-check';
import { root } from './daemon.js';
import { fc } from './properties.js';

interface Field {
  readonly name: string;
  readonly jsonName: string;
  readonly type: string;
  readonly typeName?: string;
  readonly label: string;
  readonly oneofIndex?: number;
  readonly proto3Optional?: boolean;
}
interface MessageType {
  readonly name: string;
  readonly field?: readonly Field[];
  readonly nestedType?: readonly MessageType[];
  readonly oneofDecl?: readonly { readonly name: string }[];
  readonly options?: { readonly mapEntry?: boolean };
}
interface EnumType {
  readonly name: string;
  readonly value: readonly { readonly name: string; readonly number?: number }[];
}
interface Schema {
  readonly package: string;
  readonly messageType?: readonly MessageType[];
  readonly enumType?: readonly EnumType[];
}
/** What decode() returns, or encode() accepts, for any message. */
export type AnyMessage = Record<string, unknown>;
type Arbitrary<T = unknown> = fastCheck.Arbitrary<T>;

const messages = new Map<string, MessageType>();
const enums = new Map<string, EnumType>();

function addMessage(scope: string, message: MessageType): void {
  const name = `${scope}.${message.name}`;
  messages.set(name, message);
  for (const nested of message.nestedType ?? []) addMessage(name, nested);
}

const buf = join(root, 'node_modules/.bin/buf');
const image = execFileSync(buf, ['build', '--exclude-source-info', '-o', '-#format=json'], {
  cwd: join(root, 'proto'),
  encoding: 'utf8',
  maxBuffer: 1 << 26,
});
for (const schema of (JSON.parse(image) as { file: Schema[] }).file) {
  for (const message of schema.messageType ?? []) addMessage(`.${schema.package}`, message);
  for (const each of schema.enumType ?? []) enums.set(`.${schema.package}.${each.name}`, each);
}

/** The names of the contract's messages, without their packages. */
export const messageNames = [...messages]
  .filter(
    ([name, { options }]) =>
      /^\.(vkmem\.v1|vkmem\.internal|google\.rpc)\.\w+$/.test(name) && !options?.mapEntry,
  )
  .map(([, { name }]) => name)
  .sort();

const powers = [0n, 31n, 32n, 53n, 62n, 63n, 64n].map((exponent) => 2n ** exponent);
const edges = [0n, ...powers.flatMap((power) => [power - 1n, power, power + 1n, -power, -power - 1n])];

/** Integers of a range; its edges and those of smaller types occur more often. */
function integers(min: bigint, max: bigint): Arbitrary<bigint> {
  const inside = edges.filter((edge) => edge >= min && edge <= max);
  return fc.oneof(fc.constantFrom(...inside, min, max), fc.bigInt(min, max));
}

const int64 = integers(-(2n ** 63n), 2n ** 63n - 1n);
const uint64 = integers(0n, 2n ** 64n - 1n);
const int32 = integers(-(2n ** 31n), 2n ** 31n - 1n).map(Number);
const uint32 = integers(0n, 2n ** 32n - 1n).map(Number);
const text = fc.string({ unit: 'binary', maxLength: 20 });

const SCALARS: Readonly<Record<string, Arbitrary>> = {
  TYPE_INT64: int64,
  TYPE_UINT64: uint64,
  TYPE_FIXED64: uint64,
  TYPE_INT32: int32,
  TYPE_UINT32: uint32,
  TYPE_FIXED32: uint32,
  // Without -0 and NaN, which equal the default or nothing.
  TYPE_DOUBLE: fc.double({ noNaN: true }).map((value) => (value === 0 ? 0 : value)),
  TYPE_BOOL: fc.boolean(),
  TYPE_STRING: text,
  TYPE_BYTES: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
};

function enumerators(typeName: string): Arbitrary<string | number> {
  const values = enums.get(typeName)?.value;
  if (!values) throw new Error(`no enum ${typeName}`);
  const known = new Set(values.map(({ number = 0 }) => number));
  const future = int32.filter((number) => !known.has(number));
  return fc.oneof(
    { arbitrary: fc.constantFrom(...values.map(({ name }) => name)), weight: 4 },
    { arbitrary: future, weight: 1 },
  );
}

/** One value of a field, without regard to repeated and optional. */
function single({ type, typeName = '' }: Field): Arbitrary {
  if (type === 'TYPE_MESSAGE') return ofType(typeName);
  if (type === 'TYPE_ENUM') return enumerators(typeName);
  const scalar = SCALARS[type];
  if (!scalar) throw new Error(`the contract has a field of ${type}, which is not generated yet`);
  return scalar;
}

/** A field outside any oneof. */
function whole(field: Field): Arbitrary {
  const entry = messages.get(field.typeName ?? '');
  if (entry?.options?.mapEntry) {
    const [key, value] = (entry.field ?? []).map(single) as [Arbitrary<string>, Arbitrary];
    const keys = fc.oneof(key, fc.constantFrom('__proto__', 'constructor', 'toString'));
    return fc.dictionary(keys, value, { maxKeys: 4, noNullPrototype: true });
  }
  if (field.label === 'LABEL_REPEATED') return fc.array(single(field), { maxLength: 4 });
  return field.type === 'TYPE_MESSAGE' ? fc.option(single(field), { nil: null }) : single(field);
}

const made = new Map<string, Arbitrary<AnyMessage>>();

function ofType(typeName: string): Arbitrary<AnyMessage> {
  const before = made.get(typeName);
  if (before) return before;
  const message = messages.get(typeName);
  if (!message) throw new Error(`no message ${typeName}`);
  // The codec has its own google.protobuf, with field names as the schema spells them.
  const nameOf = ({ name, jsonName }: Field) => (typeName.startsWith('.google.protobuf.') ? name : jsonName);
  const fields = message.field ?? [];
  const plain = fields.filter(({ oneofIndex }) => oneofIndex === undefined);
  const oneofs = (message.oneofDecl ?? []).map((oneof, index): Arbitrary<AnyMessage> => {
    const members = fields.filter(({ oneofIndex }) => oneofIndex === index);
    const choices = members.map((field) => {
      const beside = field.proto3Optional ? `_${nameOf(field)}` : oneof.name;
      return single(field).map((value) => ({ [nameOf(field)]: value, [beside]: nameOf(field) }));
    });
    return fc.oneof(fc.constant({}), ...choices);
  });
  const record = fc.record(Object.fromEntries(plain.map((field) => [nameOf(field), whole(field)])), {
    noNullPrototype: true,
  });
  const all = fc.tuple(record, ...oneofs).map((parts): AnyMessage => Object.assign({}, ...parts));
  made.set(typeName, all);
  return all;
}

/** A message of this name, as decode() returns it. */
export function messagesOf(name: string): Arbitrary<AnyMessage> {
  const packages = ['vkmem.v1', 'vkmem.internal', 'google.rpc'].map((each) => `.${each}.${name}`);
  return ofType(packages.find((full) => messages.has(full)) ?? name);
}
