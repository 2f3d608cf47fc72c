/**
 * Messages whose fd_count differs from the number of fds, and messages with unexpected fds: up to the maximum
 * of a datagram, of every type of file.
 */
import { openSync } from 'node:fs';
import { createMemfd, type Draft, OwnedFd, PROTOCOL_VERSION, seqpacketPair } from '@vkmemd/proto';
import type { Behaviour } from '../behaviour.js';
import { type Stage, wordOf } from '../stage.js';

const BODIES: Readonly<Record<string, Draft<'ClientMessage'>>> = {
  hello: { hello: { protocolVersion: PROTOCOL_VERSION } },
  claim: { claim: { allocation: { name: 'frames' }, kinds: ['KIND_MAPPABLE'] } },
  allocate: { allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } },
  import: { import: { source: 'KIND_MAPPABLE' } },
  release: { release: { grantId: 1n } },
};

/** A file of the given type; the caller owns the fd. */
async function fileOf(stage: Stage, sort: string): Promise<OwnedFd> {
  if (sort === 'memfd') return createMemfd('unsolicited', 4096n);
  if (sort === 'folder') return new OwnedFd(openSync('/', 'r'), 'unsolicited');
  if (sort === 'socket') {
    const [one, other] = seqpacketPair();
    stage.keep(other);
    return one;
  }
  return new OwnedFd(openSync('/dev/null', 'r+'), 'unsolicited');
}

export const fdCounts: Behaviour<{ body: string; fds: number; sort: string; said: number }> = {
  name: 'fd-counts',
  weight: 4,
  plan: (random) => {
    const fds = random.pick([0, 1, 2, 3, 5, 16, 64, 252, 253]);
    return {
      body: random.pick(Object.keys(BODIES)),
      fds,
      sort: random.pick(['null', 'memfd', 'socket', 'folder']),
      said: random.pick([fds, fds, 0, 1, 4, 4_294_967_295]),
    };
  },
  async perform(stage, { body, fds, sort, said }) {
    const wire = body === 'hello' ? stage.connect() : await stage.greet();
    const first = fds > 0 ? [await fileOf(stage, sort)] : [];
    const others = Array.from({ length: Math.max(0, fds - 1) }, () => first.map((fd) => fd.dup())).flat();
    wire.send({ ...BODIES[body], fdCount: said }, [...first, ...others]);
    return wordOf(wire);
  },
};
