/** The codec of the link writes and reads what the codec of the contract does. */
import { deepStrictEqual } from 'node:assert/strict';
import { type Decoded, type Draft, decode, encode } from '@vkmemd/proto';
import t from 'tap';
import { decodeLink, encodeLink, type LinkMessage } from 'vkmemd/dist/link/codec.js';
import { fc } from '../support/properties.js';
import { messagesOf } from '../support/schema-messages.js';

const LINK = ['ToCore', 'ToFront'] as const;
/** Ids and numbers of callers count up from 1. */
const MAX_NUMBER = 2n ** 53n;

/** A message without what a decoder adds, and with the ids of this link. */
function ofLink<N extends LinkMessage>(name: N, message: unknown): Decoded<N> {
  const decoded = structuredClone(message) as {
    id: bigint;
    call?: { caller: bigint } | null;
  };
  decoded.id %= MAX_NUMBER;
  if (decoded.call) decoded.call.caller %= MAX_NUMBER;
  return decode(name, encode(name, decoded as unknown as Draft<N>));
}

/** Without the members that are null or absent, by which the two differ. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || Array.isArray(value)) {
    return value;
  }
  const present = Object.entries(value).filter(([, member]) => member !== null && member !== undefined);
  return Object.fromEntries(present.map(([key, member]) => [key, plain(member)]));
}

for (const name of LINK) {
  t.test(`both codecs agree on ${name}`, async (t) => {
    const agrees = fc.property(messagesOf(name), (any) => {
      const message = ofLink(name, any);
      const bytes = Buffer.from(encodeLink(name, message as Draft<typeof name>));
      deepStrictEqual(plain(decode(name, bytes)), plain(message), 'what it writes');
      const others = encode(name, message as Draft<typeof name>);
      deepStrictEqual(plain(decodeLink(name, others)), plain(message), 'what it reads');
    });
    fc.assert(agrees, { numRuns: 500 });
    t.pass(name);
  });

  t.test(`bytes that are no ${name} are refused by both`, async (t) => {
    const refuses = fc.property(messagesOf(name), fc.nat(), fc.uint8Array(), (message, where, added) => {
      const bytes = encode(name, message as Draft<typeof name>);
      const at = where % (bytes.length + 1);
      const mangled = Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + 1)]);
      const outcome = (read: () => unknown) => {
        try {
          return plain(read());
        } catch (failure) {
          return (failure as { code?: unknown }).code;
        }
      };
      const [expected, found] = [
        outcome(() => decode(name, mangled)),
        outcome(() => decodeLink(name, mangled)),
      ];
      deepStrictEqual(found, expected);
    });
    fc.assert(refuses, { numRuns: 500 });
    t.pass(name);
  });
}
