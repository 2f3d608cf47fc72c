/** Datagrams that are too long, truncated, or empty. */
import { encode, PROTOCOL_VERSION } from '@vkmemd/proto';
import type { Behaviour } from '../behaviour.js';
import { wordOf } from '../stage.js';

export const lengths: Behaviour<{ bytes: number; cut: boolean; greeted: boolean }> = {
  name: 'lengths',
  weight: 3,
  plan: (random) => ({
    bytes: random.pick([1, 2, 7, 65_535, 65_536, 65_537, 131_072, 150_000]),
    cut: random.chance(0.5),
    greeted: random.chance(0.5),
  }),
  async perform(stage, { bytes, cut, greeted }, random) {
    const wire = greeted ? await stage.greet() : stage.connect();
    const hello = { protocolVersion: PROTOCOL_VERSION, clientName: 'n'.repeat(100) };
    const whole = encode('ClientMessage', {
      sequence: 2n,
      fdCount: 0,
      ...(greeted ? { allocate: { name: 'n'.repeat(100), sizeBytes: 4096n } } : { hello }),
    });
    // A message whose length field exceeds its size, or one above the maximum size.
    const datagram = cut
      ? Buffer.from(whole).subarray(0, Math.max(1, whole.length - bytes))
      : random.bytes(bytes);
    if (!wire.connection.send(datagram)) return 'dropped';
    return wordOf(wire);
  },
};
