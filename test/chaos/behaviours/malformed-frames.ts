/** Frames of HTTP/2 with lengths that their types forbid, before and after GOAWAY, to both sockets of the front. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { ADMIN_SOCKET, CONTROL_SOCKET } from '@vkmemd/proto';
import { malformedOrder, PREFACE } from '../../support/malformed-frames.js';
import type { Behaviour } from '../behaviour.js';
import { rest } from '../rest.js';

const CLOSED_MS = 1000;

export const malformedFrames: Behaviour<{ admin: boolean; orders: number; ends: boolean }> = {
  name: 'malformed-frames',
  weight: 4,
  plan: (random) => ({
    admin: random.chance(0.4),
    orders: random.pick([1, 8, 30]),
    ends: random.chance(0.7),
  }),
  async perform(stage, { admin, orders, ends }, random) {
    const path = join(stage.runtimeDir, admin ? ADMIN_SOCKET : CONTROL_SOCKET);
    const attempt = (): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect(path);
        stage.keep({ close: () => socket.destroy() });
        socket.once('close', () => resolve());
        socket.on('error', () => {}); // It is followed by 'close'.
        socket.resume();
        socket.write(PREFACE);
        for (const frame of malformedOrder((below) => random.below(below))) socket.write(frame);
        if (ends) socket.end();
      });
    let closed = 0;
    const all = Array.from({ length: orders }, async () => {
      await attempt();
      closed += 1;
    });
    await Promise.race([Promise.all(all), rest(CLOSED_MS)]);
    return closed === orders ? 'all closed' : 'some left open';
  },
};
