/** A thousand connections a second, opened and closed, with or without a Hello. */
import { type Connection, connectSeqpacket, encode, PROTOCOL_VERSION, VkmemError } from '@vkmemd/proto';
import type { Behaviour } from '../behaviour.js';
import { rest } from '../rest.js';

const EVERY_MS = 10;
const AT_ONCE = 10;
const HELLO = encode('ClientMessage', { sequence: 1n, hello: { protocolVersion: PROTOCOL_VERSION } });

export const connectStorm: Behaviour<{ forMs: number; greets: boolean; keepMs: number }> = {
  name: 'connect-storm',
  weight: 2,
  plan: (random) => ({
    forMs: random.between(200, 1000),
    greets: random.chance(0.3),
    keepMs: random.pick([0, 0, 50]),
  }),
  async perform(stage, { forMs, greets, keepMs }) {
    let refused = 0;
    const end = Date.now() + forMs;
    const handlers = { message: () => {}, close: () => {} };
    while (Date.now() < end) {
      const made: Connection[] = [];
      for (let i = 0; i < AT_ONCE; i += 1) {
        try {
          made.push(stage.keep(connectSeqpacket(stage.handoffSocket, handlers)));
        } catch (failure) {
          // A stopped daemon accepts no connection, and the kernel queues only a limited number.
          if (!(failure instanceof VkmemError) || failure.code !== 'UNAVAILABLE') throw failure;
          refused += 1;
        }
      }
      if (greets) for (const connection of made) connection.send(HELLO);
      await rest(EVERY_MS);
      if (keepMs === 0) for (const connection of made) stage.drop(connection);
    }
    await rest(keepMs);
    return refused > 0 ? 'some refused' : 'all taken';
  },
};
