/**
 * Frames of HTTP/2 with lengths that their types forbid, before and after GOAWAY, in random orders: each order on a
 * connection of its own, by turns to the control and to the admin socket. Prints how many connections were closed.
 * Usage: malformed.js RUNTIME_DIR ORDERS SEED
 */
import { connect } from 'node:net';
import { join } from 'node:path';
import { ADMIN_SOCKET, CONTROL_SOCKET } from '@vkmemd/proto';

const [runtimeDir = '', orders = '1', seed = '1'] = process.argv.slice(2);
const SIDE_BY_SIDE = 16;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** @param claimed The length that the header says, in place of the payload's. */
function frame(
  type: number,
  flags: number,
  stream: number,
  payload: number[],
  claimed = payload.length,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(claimed, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, Buffer.from(payload)]);
}

const bytes = (count: number): number[] => new Array<number>(count).fill(0);
const [
  DATA,
  HEADERS,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  PUSH_PROMISE,
  PING,
  GOAWAY,
  WINDOW_UPDATE,
  CONTINUATION,
] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const PADDED = 8;
/** `:method: POST` of the static table. */
const SOME_FIELD = 0x83;
const FRAMES = [
  frame(GOAWAY, 0, 0, bytes(8)),
  frame(GOAWAY, 0, 0, bytes(7)),
  frame(SETTINGS, 0, 0, bytes(5)),
  frame(SETTINGS, 1, 0, bytes(6)),
  frame(PING, 0, 0, bytes(7)),
  frame(PING, 0, 0, bytes(9)),
  frame(RST_STREAM, 0, 1, bytes(3)),
  frame(PRIORITY, 0, 1, bytes(4)),
  frame(WINDOW_UPDATE, 0, 0, bytes(3)),
  frame(WINDOW_UPDATE, 0, 1, bytes(5)),
  frame(PUSH_PROMISE, 4, 1, bytes(3)),
  frame(HEADERS, 4 | PADDED, 1, [200, SOME_FIELD]),
  frame(HEADERS, 4, 1, [SOME_FIELD]),
  frame(DATA, PADDED, 1, [200, 0]),
  frame(DATA, 1, 1, bytes(5)),
  frame(CONTINUATION, 4, 1, []),
  frame(SETTINGS, 0, 0, bytes(6), 0xff_ff_ff),
];

/** A generator of Park and Miller: the same orders for the same seed. */
function random(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

const next = random(Number(seed));

/** Some of the frames, in some order. */
function order(): Buffer[] {
  const rest = [...FRAMES];
  const count = 2 + next(FRAMES.length - 2);
  return Array.from({ length: count }, () => rest.splice(next(rest.length), 1)[0] ?? Buffer.of());
}

/** Resolves when the connection is closed by either side. */
const attempt = (path: string, frames: readonly Buffer[]): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('close', () => resolve());
    socket.on('error', () => {}); // It is followed by 'close'.
    socket.resume();
    socket.write(PREFACE);
    for (const each of frames) socket.write(each);
    socket.end();
  });

let left = Number(orders);
let closed = 0;
async function lane(): Promise<void> {
  while (left > 0) {
    left -= 1;
    const path = join(runtimeDir, left % 2 === 0 ? CONTROL_SOCKET : ADMIN_SOCKET);
    await attempt(path, order());
    closed += 1;
  }
}
await Promise.all(Array.from({ length: SIDE_BY_SIDE }, lane));
console.log(JSON.stringify({ closed }));
