/**
 * The codec: a round trip preserves messages, with 64-bit fields as bigint, and invalid bytes are rejected.
 */

import {
  asVkmemError,
  CATALOGUE,
  decode,
  type ErrorCode,
  encode,
  errorOf,
  isErrorCode,
  packStatus,
  RETIRED_CODES,
  runtimeDir,
  statusOf,
  unpackStatus,
  uuidText,
  VkmemError,
} from '@vkmemd/proto';
import t from 'tap';
import { fc } from '../support/properties.js';

t.test('64-bit fields are bigint, whatever their value', async (t) => {
  const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
  const uint64 = fc.bigInt(0n, 2n ** 64n - 1n);
  fc.assert(
    fc.property(uint64, int64, fc.nat(), (sequence, sizeBytes, fdCount) => {
      const bytes = encode('ClientMessage', { sequence, fdCount, allocate: { sizeBytes } });
      const message = decode('ClientMessage', bytes);
      return (
        message.sequence === sequence &&
        message.allocate?.sizeBytes === sizeBytes &&
        message.fdCount === fdCount &&
        message.body === 'allocate'
      );
    }),
  );
  t.throws(() => encode('ClientMessage', { sequence: 2n ** 64n }), { code: 'INVALID_ARGUMENT' });
  t.throws(() => encode('ClientMessage', { sequence: -(2n ** 63n) - 1n }), { code: 'INVALID_ARGUMENT' });
});

t.test('any bytes are a message or fail with PROTOCOL_ERROR', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        return typeof decode('ClientMessage', bytes).sequence === 'bigint';
      } catch (failure) {
        return failure instanceof VkmemError && failure.code === 'PROTOCOL_ERROR';
      }
    }),
  );
  t.pass();
});

t.test('defaults, unknown enumerators, unknown fields', async (t) => {
  const empty = decode('ClientMessage', Buffer.alloc(0));
  t.match(empty, { sequence: 0n, fdCount: 0 });
  t.equal(empty.body, undefined);
  const future = decode('AllocateRequest', encode('AllocateRequest', { kinds: [99 as 4, 'KIND_MAPPABLE'] }));
  t.strictSame([...future.kinds], [99, 'KIND_MAPPABLE']);
  const unknownField = Buffer.concat([
    encode('ReleaseRequest', { grantId: 5n }),
    Buffer.from([0xfa, 1, 1, 65]),
  ]);
  t.equal(decode('ReleaseRequest', unknownField).grantId, 5n, 'an unknown field is skipped');
});

t.test('every code is unchanged by the wire', async (t) => {
  for (const code of Object.keys(CATALOGUE) as ErrorCode[]) {
    const sent = new VkmemError(code, 'Because.', { size: '7' });
    const got = unpackStatus(packStatus(sent));
    t.match(got, { code, reason: 'Because.', metadata: { size: '7' }, message: sent.message }, code);
    t.notOk(RETIRED_CODES.includes(code), 'a retired code is not reused');
  }
  t.notOk(isErrorCode('toString'), 'properties of Object are not codes');
});

t.test('a failure may name a next step of its own', async (t) => {
  const sent = new VkmemError('NOT_PERMITTED', 'Because.', {}, undefined, 'Claim it read-only.');
  const got = unpackStatus(packStatus(sent));
  t.match(got, { next: 'Claim it read-only.', metadata: { next: undefined } });
  t.equal(got.message, 'The caller may not do this. Because. Claim it read-only.');
  t.equal(new VkmemError('NOT_PERMITTED').next, CATALOGUE.NOT_PERMITTED.next);
  const long = unpackStatus(packStatus(new VkmemError('INTERNAL', '', {}, undefined, 'x'.repeat(5000))));
  t.ok(long.next.length < 450, 'its length is limited');
});

t.test('errors of another version of the daemon are decoded', async (t) => {
  const status = decode('Status', encode('Status', statusOf(new VkmemError('NOT_FOUND'))));
  const detail = status.details[0];
  if (!detail) throw new Error('no detail');
  detail.value = encode('ErrorInfo', { reason: 'CODE_OF_THE_FUTURE', domain: 'vkmemd', metadata: {} });
  t.match(errorOf(status), { code: 'INTERNAL', reason: /CODE_OF_THE_FUTURE/ });
  detail.value = encode('ErrorInfo', { reason: 'NOT_FOUND', domain: 'example.org', metadata: {} });
  t.match(errorOf(status), { code: 'INTERNAL' }, 'a code of another domain becomes INTERNAL');
  t.match(errorOf({ ...status, details: [] }), { code: 'INTERNAL', reason: /without details/ });
  const cause = new Error('unforeseen');
  t.match(asVkmemError(cause), { code: 'INTERNAL', cause });
  t.equal(
    uuidText(Buffer.from('00112233445566778899aabbccddeeff', 'hex')),
    '00112233-4455-6677-8899-aabbccddeeff',
  );
  t.equal(runtimeDir('rel', {}), `${process.cwd()}/rel`);
});
