/**
 * A client that reads one byte at a time: on the handoff socket it loses the rest of each message and its
 * fds; on the control socket it reads an answer byte by byte.
 */
import { connect, type Socket } from 'node:net';
import { encode, PROTOCOL_VERSION, serviceDefinition } from '@vkmemd/proto';
import type { Behaviour } from '../behaviour.js';
import { runNative } from '../native.js';
import { rest } from '../rest.js';
import type { Stage } from '../stage.js';

const kinds = ['KIND_MAPPABLE'] as const;

async function datagrams(stage: Stage, claims: number): Promise<string> {
  const hello = encode('ClientMessage', { sequence: 1n, hello: { protocolVersion: PROTOCOL_VERSION } });
  const request = { allocate: { sizeBytes: 4096n, kinds, grantKinds: kinds } };
  const asked = Array.from({ length: claims }, (_, i) =>
    encode('ClientMessage', { sequence: BigInt(i + 2), fdCount: 0, ...request }),
  );
  const hex = [hello, ...asked].map((datagram) => Buffer.from(datagram).toString('hex'));
  const [bytes = ''] = await runNative(['nibble', stage.handoffSocket, String(hex.length), ...hex]);
  return bytes === String(hex.length) ? 'a byte of each' : bytes;
}

/** A budget watch over HTTP/2 without a library: one byte a read, with pauses. */
function stream(stage: Stage): Socket {
  let taken = 0;
  const socket: Socket = connect({
    path: stage.controlSocket,
    onread: {
      buffer: Buffer.alloc(1),
      callback: () => {
        taken += 1;
        if (taken % 64 !== 0) return true;
        setTimeout(() => socket.resume(), 5);
        return false;
      },
    },
  });
  socket.on('error', () => {}); // The daemon closes the connection sooner or later.
  const path = serviceDefinition('DeviceService').WatchBudget?.path ?? '';
  const field = (name: string, value: string) =>
    Buffer.concat([
      Buffer.from([0, name.length]),
      Buffer.from(name),
      Buffer.from([value.length]),
      Buffer.from(value),
    ]);
  const headers = Buffer.concat([
    Buffer.from([0x83, 0x86]), // :method POST, :scheme http
    field(':path', path),
    field(':authority', 'localhost'),
    field('content-type', 'application/grpc'),
    field('te', 'trailers'),
  ]);
  const frame = (type: number, flags: number, id: number, payload: Buffer) =>
    Buffer.concat([Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, id]), payload]);
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(Buffer.concat([frame(4, 0, 0, Buffer.alloc(0)), frame(1, 4, 1, headers)]));
  socket.write(frame(0, 1, 1, Buffer.alloc(5)));
  return socket;
}

export const nibbler: Behaviour<{ where: string; times: number }> = {
  name: 'nibbler',
  weight: 3,
  plan: (random) => ({ where: random.pick(['handoff', 'control']), times: random.between(1, 12) }),
  async perform(stage, { where, times }) {
    if (where === 'handoff') return datagrams(stage, times);
    for (let i = 0; i < times; i += 1) {
      const socket = stream(stage);
      stage.leave({ close: () => socket.destroy() }, 3000);
    }
    await rest(200);
    return where;
  },
};
