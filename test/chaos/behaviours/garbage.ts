/** Bytes that are not a message: random ones, or a valid message with some bits inverted. */
import { connect } from 'node:net';
import { type Draft, encode, PROTOCOL_VERSION } from '@vkmemd/proto';
import type { Behaviour } from '../behaviour.js';
import type { Random } from '../random.js';
import { rest } from '../rest.js';
import type { Stage } from '../stage.js';

const MESSAGES: readonly Draft<'ClientMessage'>[] = [
  { hello: { protocolVersion: PROTOCOL_VERSION, clientName: 'garbage' } },
  { allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'], grantKinds: ['KIND_MAPPABLE'] } },
  { claim: { allocation: { id: '00000000-0000-4000-8000-000000000000' }, kinds: ['KIND_MAPPABLE'] } },
  { release: { grantId: 1n } },
  { free: { allocation: { name: '0/frames' } } },
];

/** The preface of an HTTP/2 client: after it, all bytes are parsed as frames. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');

function turned(random: Random, sequence: number): Buffer {
  const message = { sequence: BigInt(sequence), ...random.pick(MESSAGES) };
  const bytes = Buffer.from(encode('ClientMessage', message));
  for (let i = random.between(1, 8); i > 0; i -= 1) {
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  }
  return bytes;
}

/** Sends such bytes to the control socket, framed or not. */
function stream(stage: Stage, bytes: Buffer): void {
  const socket = connect(stage.controlSocket);
  socket.on('error', () => {}); // The daemon closes the connection sooner or later.
  socket.end(bytes);
  stage.leave({ close: () => socket.destroy() }, 500);
}

export const garbage: Behaviour<{ where: string; turned: boolean; datagrams: number }> = {
  name: 'garbage',
  weight: 4,
  plan: (random) => ({
    where: random.pick(['before Hello', 'after Hello', 'control', 'control, in HTTP/2']),
    turned: random.chance(0.6),
    datagrams: random.between(1, 20),
  }),
  async perform(stage, params, random) {
    const { where, datagrams } = params;
    const bytes = (i: number) =>
      params.turned ? turned(random, i + 2) : random.bytes(random.between(1, random.pick([16, 65_536])));
    if (where.startsWith('control')) {
      const all = Array.from({ length: datagrams }, (_, i) => bytes(i));
      stream(stage, Buffer.concat(where === 'control' ? all : [PREFACE, ...all]));
      return where;
    }
    // A connection ends with the first invalid message, so each message has its own.
    for (let i = 0; i < datagrams; i += 1) {
      const wire = where === 'after Hello' ? await stage.greet() : stage.connect();
      wire.connection.send(bytes(i));
      await rest(1);
    }
    return where;
  },
};
