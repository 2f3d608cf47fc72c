/** Budget watches that are never read: more than a user may have. */

import { rawSession, rawWatch } from '../../support/raw-http2.js';
import type { Behaviour } from '../behaviour.js';
import { rest } from '../rest.js';

export const watchers: Behaviour<{ watches: number; window: number; keepMs: number }> = {
  name: 'watchers',
  weight: 2,
  plan: (random) => ({
    watches: random.pick([1, 8, 70]),
    window: random.pick([0, 60, 1000]),
    keepMs: random.pick([100, 2000]),
  }),
  async perform(stage, { watches, window, keepMs }) {
    const session = rawSession(stage.runtimeDir, window);
    session.on('error', () => {}); // The daemon may close the connection.
    for (let i = 0; i < watches; i += 1) {
      const stream = rawWatch(session);
      stream.on('error', () => {}); // Some of these are refused.
    }
    stage.leave({ close: () => session.destroy() }, keepMs);
    await rest(100);
    return `${watches} watches`;
  },
};
