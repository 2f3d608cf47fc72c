/** A thousand connections a second, or as many as the kernel takes, opened and closed, with or without a Hello. */
import { type Connection, connectSeqpacket, encode, PROTOCOL_VERSION, VkmemError } from '@vkmemd/proto';
import type { Behaviour } from '../behaviour.js';
import { rest } from '../rest.js';

const EVERY_MS = 10;
/** Of a flood: more than the daemon accepts meanwhile. */
const MAX_OPEN = 400;
const HELLO = encode('ClientMessage', { sequence: 1n, hello: { protocolVersion: PROTOCOL_VERSION } });

export const connectStorm: Behaviour<{ forMs: number; atOnce: number; greets: boolean; keepMs: number }> = {
  name: 'connect-storm',
  weight: 2,
  plan: (random) => ({
    forMs: random.between(200, 1000),
    atOnce: random.pick([10, 10, 200]),
    greets: random.chance(0.3),
    keepMs: random.pick([0, 0, 50]),
  }),
  async perform(stage, { forMs, atOnce, greets, keepMs }) {
    let refused = 0;
    const end = Date.now() + forMs;
    const handlers = { message: () => {}, close: () => {} };
    const open: Connection[] = [];
    while (Date.now() < end) {
      const made: Connection[] = [];
      for (let i = 0; i < atOnce; i += 1) {
        try {
          made.push(stage.keep(connectSeqpacket(stage.handoffSocket, handlers)));
        } catch (failure) {
          // A stopped daemon accepts no connection, and the kernel queues only a limited number.
          if (!(failure instanceof VkmemError) || failure.code !== 'UNAVAILABLE') throw failure;
          refused += 1;
          break;
        }
      }
      if (greets) for (const connection of made) connection.send(HELLO);
      await rest(atOnce > 10 ? 0 : EVERY_MS);
      open.push(...made);
      const most = keepMs === 0 ? 0 : MAX_OPEN;
      for (const connection of open.splice(0, open.length - most)) stage.drop(connection);
    }
    await rest(keepMs);
    return refused > 0 ? 'some refused' : 'all taken';
  },
};
