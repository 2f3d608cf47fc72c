/** Messages of up to 64 KiB that are cheap to send: of very many elements, or nested, on many connections. */
import { type Draft, encode } from '@vkmemd/proto';
import type { Behaviour } from '../behaviour.js';
import { type Greeted, wordOf } from '../stage.js';

/** The daemon reads no more. */
const MAX_BYTES = 65_536;
const PER_CONNECTION = 4;

const kinds = (count: number) => Array.from({ length: count }, () => 'KIND_MAPPABLE' as const);
const ids = (count: number) => Array.from({ length: count }, (_, at) => BigInt(at + 1));

const BODIES: Readonly<Record<string, (count: number) => Draft<'ClientMessage'>>> = {
  'kinds of a claim': (count) => ({ claim: { allocation: { name: 'nothing' }, kinds: kinds(count) } }),
  'kinds of an allocate': (count) => ({ allocate: { sizeBytes: 4096n, kinds: kinds(count) } }),
  'grants of an entrust': (count) => ({ entrust: { grantIds: ids(count) } }),
  'grants of a second hello': (count) => ({
    hello: { protocolVersion: 1, resume: true, grantIds: ids(count) },
  }),
};
/** Fields of one byte that the schema does not have: number 2 047, a varint of 0. */
const unknown = (count: number): Buffer => Buffer.from('f87f00'.repeat(count), 'hex');

/** Field 11 in itself, which the schema reads as an AllocateRequest with unknown fields. */
function nested(depth: number): Buffer {
  let inner = Buffer.alloc(0);
  for (let at = 0; at < depth && inner.length < MAX_BYTES - 8; at += 1) {
    const length: number[] = [];
    for (let rest = inner.length; ; rest >>>= 7) {
      length.push(rest < 128 ? rest : (rest & 127) | 128);
      if (rest < 128) break;
    }
    inner = Buffer.concat([Buffer.from([0x5a, ...length]), inner]);
  }
  return inner;
}

function messageOf(what: string, count: number, sequence: bigint): Buffer {
  const body = BODIES[what];
  const head = Buffer.from(encode('ClientMessage', { sequence, fdCount: 0, ...body?.(count) }));
  if (body) return head;
  return Buffer.concat([head, what === 'nested' ? nested(count) : unknown(count)]);
}

/** As many elements as one message has room for, and at most `count`. */
function heaviest(what: string, count: number, sequence: bigint): Buffer {
  const message = messageOf(what, count, sequence);
  return message.length <= MAX_BYTES ? message : heaviest(what, Math.floor(count * 0.8), sequence);
}

export const heavyMessages: Behaviour<{ what: string; count: number; connections: number }> = {
  name: 'heavy-messages',
  weight: 3,
  plan: (random) => ({
    what: random.pick([...Object.keys(BODIES), 'nested', 'unknown fields']),
    count: random.pick([100, 129, 4096, 8193, 21_000, 60_000]),
    connections: random.pick([1, 4, 16]),
  }),
  async perform(stage, { what, count, connections }) {
    const wires: Greeted[] = [];
    for (let at = 0; at < connections; at += 1) wires.push(await stage.greet());
    for (let at = 0; at < PER_CONNECTION; at += 1) {
      const message = heaviest(what, count, BigInt(at + 10));
      for (const { connection } of wires) if (!connection.send(message)) return 'dropped';
    }
    const words = await Promise.all(wires.map(wordOf));
    return [...new Set(words)].sort().join(' ');
  },
};
