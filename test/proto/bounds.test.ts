/**
 * The bounds of requests on their bytes: what is counted is what decoding makes, and nothing is decoded that was counted
 * otherwise.
 */
import {
  BOUNDS_OF_BODY,
  costOf,
  decode,
  encode,
  MAX_LISTED_GRANTS,
  type MessageName,
  type RequestName,
  requestRow,
  UNKNOWN_BODY,
  VkmemError,
} from '@vkmemd/proto';
import t from 'tap';
import { fc } from '../support/properties.js';

const costOfMessage = (bytes: Uint8Array) =>
  costOf('ClientMessage', bytes, (body) => BOUNDS_OF_BODY.get(body) ?? UNKNOWN_BODY);
const costOfRequest = (name: RequestName, bytes: Uint8Array) =>
  costOf(requestRow(name).request, bytes, () => requestRow(name));

const KINDS = (count: number) => Array.from({ length: count }, () => 'KIND_MAPPABLE' as const);
const claim = (kinds: number) => encode('ClientMessage', { sequence: 1n, claim: { kinds: KINDS(kinds) } });
const refused = (bytes: Buffer): string => {
  try {
    costOfMessage(bytes);
    return 'accepted';
  } catch (failure) {
    if (!(failure instanceof VkmemError) || failure.code !== 'PROTOCOL_ERROR') throw failure;
    return failure.message;
  }
};
/** A tag and a varint of it. */
const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const field = (number: number, wire: number, ...rest: number[]) => [...varint(number * 8 + wire), ...rest];

t.test('a small request costs 1, and a large one by its bytes and elements', async (t) => {
  t.equal(costOfMessage(claim(4)), 1);
  t.equal(costOfMessage(claim(40)), 3);
  const grantIds = Array.from({ length: 6000 }, (_, at) => BigInt(at + 1_000_000));
  const hello = encode('ClientMessage', { sequence: 1n, hello: { grantIds } });
  t.equal(costOfMessage(hello), 1 + Math.floor(hello.length / 1024) + Math.floor(6000 / 16));
  t.equal(costOfRequest('ListDevices', Buffer.of()), 1);
});

t.test('elements above the bound of the request are refused', async (t) => {
  t.match(refused(claim(128)), 'accepted');
  t.match(refused(claim(129)), /has 129 elements of repeated fields.* at most 128/);
  const ids = (count: number) => Array.from({ length: count }, () => 1n);
  const most = MAX_LISTED_GRANTS.Hello;
  t.equal(refused(encode('ClientMessage', { hello: { grantIds: ids(most) } })), 'accepted');
  t.match(refused(encode('ClientMessage', { hello: { grantIds: ids(most + 1) } })), `at most ${most}`);
  t.throws(
    () =>
      costOfRequest(
        'SetQuota',
        encode('SetQuotaRequest', { heaps: Array.from({ length: 129 }, () => ({})) }),
      ),
    {
      code: 'PROTOCOL_ERROR',
    },
  );
});

t.test('what counts as elements', async (t) => {
  const many = (...bytes: number[]) => Buffer.from(Array.from({ length: 140 }, () => bytes).flat());
  t.match(refused(many(...field(1000, 0, 1))), /140 elements/, 'fields that this build does not know');
  t.match(
    refused(Buffer.concat([1, 2, 3].map(() => many(...field(1, 0, 1))))),
    /elements/,
    'fields that come again and again',
  );
  const unpacked = Array.from({ length: 140 }, () => field(2, 0, 1)).flat();
  const inClaim = decode('ClientMessage', claim(1)).body === 'claim';
  t.ok(inClaim);
  const at = claim(1);
  t.match(
    refused(Buffer.from([at[2] ?? 0, ...varint(unpacked.length), ...unpacked])),
    /140 elements/,
    'not packed',
  );
  const empty = Array.from({ length: 140 }, () => field(2, 2, 0)).flat();
  t.match(
    refused(Buffer.from([at[2] ?? 0, ...varint(empty.length), ...empty])),
    /140 elements/,
    'packed, and empty',
  );
});

t.test('bytes that are no message', async (t) => {
  const cases: Record<string, [number[], RegExp]> = {
    'field number 0': [field(0, 0, 1), /0 is no number of a field/],
    'a field number of 2^29': [field(2 ** 29, 0, 1), /is no number of a field/],
    'a tag of six bytes': [[0x88, 0x80, 0x80, 0x80, 0x80, 0x01, 0], /too long/],
    'a number of eleven bytes': [[8, ...new Array<number>(10).fill(0x80), 1], /too long/],
    'a group': [field(1000, 3), /3 is no wire type/],
    'the end of a group': [field(1000, 4), /4 is no wire type/],
    'wire type 6': [field(1000, 6), /6 is no wire type/],
    'a length beyond the end': [field(1000, 2, 5, 0), /beyond its end/],
    'a number that ends': [field(1000, 1, 0, 0), /ends within/],
    // The decoder would read what is in it as fields of the message.
    'another wire type than the schema has': [field(1, 2, 3, 0x10, 1, 0), /sequence has wire type 2/],
  };
  for (const [name, [bytes, why]] of Object.entries(cases)) t.match(refused(Buffer.from(bytes)), why, name);
});

t.test('messages that are nested too deep', async (t) => {
  let inner: number[] = [];
  // AllocateRequest.image.
  for (let depth = 0; depth < 40; depth += 1) inner = field(1000, 2, ...varint(inner.length), ...inner);
  t.equal(refused(Buffer.from(inner)), 'accepted', 'a field that is not known is not looked into');
});

t.test('property: any bytes are refused, or decode to at most as many elements as were counted', async () => {
  const elementsOf = (value: unknown): number => {
    if (Array.isArray(value))
      return value.length + value.map(elementsOf).reduce((sum, each) => sum + each, 0);
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0;
    return elementsOf(Object.values(value).filter((each) => typeof each === 'object'));
  };
  const base = fc.constantFrom(
    claim(3),
    claim(60),
    encode('ClientMessage', { sequence: 3n, allocate: { sizeBytes: 1n } }),
  );
  const mangled = fc
    .tuple(base, fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 }))
    .map(([bytes, changes]) => {
      const copy = Buffer.from(bytes);
      for (const [at, byte] of changes) copy[at % copy.length] = byte;
      return copy;
    });
  fc.assert(
    fc.property(fc.oneof(mangled, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      if (refused(Buffer.from(bytes)) !== 'accepted') return;
      let message: object;
      try {
        message = decode('ClientMessage' as MessageName, bytes);
      } catch {
        return;
      }
      const elements = Object.values(message).map((body) =>
        Array.isArray(body) ? elementsOf(body) : inner(body),
      );
      if (elements.reduce((sum, each) => sum + each, 0) > MAX_LISTED_GRANTS.Hello)
        throw new Error('more than counted');
    }),
    { numRuns: 20_000 },
  );
  function inner(body: unknown): number {
    if (typeof body !== 'object' || body === null || body instanceof Uint8Array) return 0;
    return Object.values(body)
      .map((each) => (Array.isArray(each) ? elementsOf(each) : 0))
      .reduce((sum, each) => sum + each, 0);
  }
});
