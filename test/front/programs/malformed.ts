/**
 * Frames of HTTP/2 with lengths that their types forbid, before and after GOAWAY, in random orders: each order on a
 * connection of its own, by turns to the control and to the admin socket. Prints how many connections were closed.
 * Usage: malformed.js RUNTIME_DIR ORDERS SEED
 */
import { connect } from 'node:net';
import { join } from 'node:path';
import { ADMIN_SOCKET, CONTROL_SOCKET } from '@vkmemd/proto';
import { malformedOrder, PREFACE } from '../../support/malformed-frames.js';

const [runtimeDir = '', orders = '1', seed = '1'] = process.argv.slice(2);
const SIDE_BY_SIDE = 16;

/** A generator of Park and Miller: the same orders for the same seed. */
function random(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

const next = random(Number(seed));

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
    await attempt(path, malformedOrder(next));
    closed += 1;
  }
}
await Promise.all(Array.from({ length: SIDE_BY_SIDE }, lane));
console.log(JSON.stringify({ closed }));
