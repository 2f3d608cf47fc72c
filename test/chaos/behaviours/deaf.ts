/**
 * A client that sends requests and never reads: its answers, and the fds of its grants, accumulate until it
 * is disconnected.
 */
import { encode } from '@vkmemd/proto';
import type { Behaviour } from '../behaviour.js';
import { rest } from '../rest.js';
import { allocateOwn } from '../stage.js';

export const deaf: Behaviour<{ requests: number; claims: boolean; keepMs: number; leaves: boolean }> = {
  name: 'deaf',
  weight: 4,
  plan: (random) => ({
    requests: random.pick([10, 50, 300, 1000]),
    claims: random.chance(0.7),
    keepMs: random.pick([50, 200, 500]),
    leaves: random.chance(0.5),
  }),
  async perform(stage, { requests, claims, keepMs, leaves }) {
    const wire = await stage.greet();
    const { id, fds } = await allocateOwn(stage, wire, 1);
    for (const fd of fds) fd.close();
    wire.connection.pause();
    let sent = 0;
    // Queueing more than 256 messages on this side has no further effect.
    for (; sent < requests && wire.connection.queuedMessages < 200; sent += 1) {
      const body = claims
        ? { claim: { allocation: { id }, kinds: ['KIND_MAPPABLE'] as const } }
        : { free: { allocation: { name: 'nothing' } } };
      const datagram = encode('ClientMessage', { sequence: BigInt(sent + 10), fdCount: 0, ...body });
      if (!wire.connection.send(datagram)) break;
      if (sent % 16 === 15) await rest(1);
    }
    await rest(keepMs);
    if (leaves) stage.leave(wire, 4000);
    return sent < requests ? 'held back' : 'all sent';
  },
};
