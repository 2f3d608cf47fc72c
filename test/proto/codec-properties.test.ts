/**
 * Properties of the codec: every message of the contract is unchanged by a round trip, and any bytes decode
 * to a message or fail with PROTOCOL_ERROR. Messages are generated from the schemas
 * (test/support/schema-messages.ts).
 */
import { deepStrictEqual, ok } from 'node:assert/strict';
import {
  type Draft,
  decode,
  encode,
  type MessageName,
  packageDefinition,
  sizeBound,
  VkmemError,
} from '@vkmemd/proto';
import t from 'tap';
import { fc } from '../support/properties.js';
import { type AnyMessage, messageNames, messagesOf } from '../support/schema-messages.js';

const ROUND_TRIPS = 100; // of each message
const MANGLED = 4000;
const MAX_BYTES = 65_536;
/** Messages that come from outside, and those that contain most of the other messages. */
const LABORIOUS = [
  'ClientMessage',
  'ServerMessage',
  'AllocateRequest',
  'ListAllocationsResponse',
  'ErrorInfo',
];
const HANGS_MS = 30_000;
/** The tag and the length of a message that is a field of another. */
const FRAME_BYTES = 5;

const pack = (name: string, message: AnyMessage): Buffer =>
  encode(name as MessageName, message as Draft<MessageName>);
const unpack = (name: string, bytes: Uint8Array): AnyMessage =>
  decode(name as MessageName, bytes) as AnyMessage;

/** Whether a field of this value may be omitted: it equals the default. */
function isDefault(value: unknown): boolean {
  if (typeof value === 'string') return value === '' || value.endsWith('_UNSPECIFIED');
  if (value instanceof Uint8Array) return value.length === 0;
  if (Array.isArray(value)) return value.length === 0;
  return !value;
}

/** The message without fields that may be omitted. A field of a oneof is sent even if it is zero. */
function sparse(message: AnyMessage): AnyMessage {
  const chosen = new Set(Object.values(message).filter((value) => typeof value === 'string'));
  return Object.fromEntries(
    Object.entries(message).filter(([name, value]) => chosen.has(name) || !isDefault(value)),
  );
}

/**
 * Decodes any bytes; undefined if they are not a message. A message can be encoded again, always to the same
 * bytes.
 */
function examine(name: string, bytes: Uint8Array): AnyMessage | undefined {
  let message: AnyMessage;
  try {
    message = unpack(name, bytes);
  } catch (failure) {
    ok(failure instanceof VkmemError, `${name}: ${String(failure)}`);
    deepStrictEqual(failure.code, 'PROTOCOL_ERROR');
    return undefined;
  }
  const second = pack(name, message);
  deepStrictEqual(unpack(name, second), message, `${name} after encoding it again`);
  deepStrictEqual(pack(name, unpack(name, second)), second, `the bytes of ${name}`);
  return message;
}

t.test('the generated messages are those of the codec', async (t) => {
  const known = Object.entries(packageDefinition())
    .filter(([, { format }]) => String(format).endsWith(' DescriptorProto'))
    .map(([name]) => name)
    .filter((name) => !name.startsWith('google.protobuf.'));
  t.strictSame(messageNames, known.map((name) => name.replace(/^.*\./, '')).sort());
  t.ok(messageNames.length > 35, `${messageNames.length} messages`);
});

t.test('each message is unchanged by a round trip', async (t) => {
  for (const name of messageNames) {
    const roundTrips = fc.property(messagesOf(name), (message) => {
      deepStrictEqual(unpack(name, pack(name, message)), message);
      deepStrictEqual(
        unpack(name, pack(name, sparse(message))),
        message,
        'without fields that may be omitted',
      );
    });
    fc.assert(roundTrips, { numRuns: ROUND_TRIPS });
    t.pass(name);
  }
});

const anyName = fc.constantFrom(...messageNames);
const anyBytes = fc.uint8Array({ maxLength: 300 });

/** The bytes of a message with random changes. */
const mangled = anyName.chain((name) =>
  fc
    .tuple(messagesOf(name), fc.nat(), fc.nat(12), fc.uint8Array({ maxLength: 12 }))
    .map(([message, where, removed, added]) => {
      const bytes = pack(name, message);
      const at = where % (bytes.length + 1);
      return [name, Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)])] as const;
    }),
);

/** Known and unknown fields of all wire types, with more or fewer bytes than their length. */
const fields = fc
  .array(
    fc.tuple(
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 0, max: 7 }),
      fc.uint8Array({ maxLength: 12 }),
    ),
    { maxLength: 30 },
  )
  .map((list) =>
    Buffer.concat(
      list.map(([number, type, bytes]) =>
        Buffer.from([(number % 16) * 8 + type, ...(type === 2 ? [bytes.length] : []), ...bytes]),
      ),
    ),
  );

t.test('any bytes are a message or fail with PROTOCOL_ERROR', async (t) => {
  for (const [what, arbitrary] of [
    ['any bytes', fc.tuple(anyName, anyBytes)],
    ['fields', fc.tuple(anyName, fields)],
    ['a mangled message', mangled],
  ] as const) {
    let messages = 0;
    const property = fc.property(arbitrary, ([name, bytes]) => {
      if (examine(name, bytes)) messages += 1;
    });
    fc.assert(property, { numRuns: MANGLED });
    t.ok(messages > 0 && messages < MANGLED, `${what}: ${messages} of ${MANGLED} were messages`);
  }
});

t.test('datagrams of the maximum size that are expensive to decode', async (t) => {
  const filled = (...bytes: number[]) => Buffer.alloc(MAX_BYTES, Buffer.from(bytes));
  /** A field that contains a field that contains a field. */
  const nested = () => {
    const parts: Buffer[] = [];
    for (let size = MAX_BYTES - 4; size > 4; size -= 4) {
      parts.push(Buffer.from([0x5a, 0x80 | (size & 0x7f), 0x80 | ((size >> 7) & 0x7f), size >> 14]));
    }
    return Buffer.concat(parts);
  };
  const begun = performance.now();
  for (const [what, bytes] of [
    ['groups in groups', filled(0xfb, 0x01)],
    ['groups that end', filled(0xfb, 0x01, 0xfc, 0x01)],
    ['fields in fields', nested()],
    ['empty allocations', filled(0x0a, 0x00)],
    ['empty sub-messages', filled(0x5a, 0x00)],
    ['enumerators', Buffer.concat([Buffer.from([0x22, 0xfd, 0xff, 0x03]), Buffer.alloc(MAX_BYTES - 3, 1)])],
    ['a length beyond the end', filled(0x0a, 0xff, 0xff, 0xff, 0xff, 0x07)],
    ['a number without end', filled(0xff)],
    ['zeros', filled(0)],
  ] as const) {
    const taken = LABORIOUS.filter((name) => examine(name, bytes) !== undefined);
    t.pass(`${what}: ${taken.join(', ') || 'nothing'} can be read from that`);
  }
  const took = performance.now() - begun;
  t.ok(took < HANGS_MS, `none takes too long (${took.toFixed(0)} ms in all)`);
});

t.test('the bound of a message is at least its size, and not many times as much', async (t) => {
  // Its fields' names are no part of the bound, so neither are the keys of a map.
  const bounded = messageNames.filter((name) => name !== 'ErrorInfo');
  for (const name of bounded) {
    const within = fc.property(messagesOf(name), (message) => {
      const [bound, size] = [sizeBound(message), pack(name, message).byteLength];
      ok(size + FRAME_BYTES <= bound, `${name}: ${size} bytes are more than ${bound}`);
    });
    fc.assert(within, { numRuns: ROUND_TRIPS });
  }
  // A number that is short as an integer is not as a double.
  const buckets = Array.from({ length: 100 }, () => ({ upperBound: 1, cumulativeCount: 2n ** 64n - 1n }));
  const histogram = { buckets };
  t.ok(pack('Histogram', histogram as never).byteLength <= sizeBound(histogram), 'many doubles');
  const request = { sizeBytes: 65_536n, kinds: ['KIND_MAPPABLE'], name: 'frames', requestId: 'a'.repeat(36) };
  const [bound, size] = [sizeBound(request), pack('AllocateRequest', request).byteLength];
  t.ok(size <= bound && bound < 3 * size, `${bound} for ${size} bytes`);
});
