/**
 * A correct client, until it is killed, stopped, or ends without closing: allocate, write, claim, release,
 * free, with and without its own names.
 */
import { mapFd, OwnedFd } from '@vkmemd/proto';
import type { Behaviour } from '../behaviour.js';
import { allocateOwn, type Granted, grantedOf, refusalOf } from '../stage.js';

interface WorkerParams {
  readonly rounds: number;
  readonly pages: number;
  /** Empty: SESSION memory. Another worker of the user may have the name. */
  readonly memory: string;
  readonly keepsFd: boolean;
  readonly frees: boolean;
  readonly [more: string]: string | number | boolean;
}

const kinds = ['KIND_MAPPABLE'] as const;

function write({ fds: [fd], size }: Granted, bytes: Buffer): void {
  if (!fd) throw new Error('nothing was granted');
  const mapping = mapFd(fd, { offset: 0n, length: size, access: 'rw' });
  new Uint8Array(mapping.buffer).set(bytes);
  mapping.unmap();
}

export const worker: Behaviour<WorkerParams> = {
  name: 'worker',
  weight: 6,
  plan: (random) => ({
    rounds: random.between(1, 8),
    pages: random.pick([1, 1, 4, 16, 64, 256]),
    memory: random.chance(0.3) ? `w${random.below(4)}` : '',
    keepsFd: random.chance(0.3),
    frees: random.chance(0.7),
  }),
  async perform(stage, { rounds, pages, memory, keepsFd, frees }, random) {
    const wire = await stage.greet();
    for (let round = 0; round < rounds; round += 1) {
      if (memory !== '') await refusalOf(wire.ask({ free: { allocation: { name: memory } } }));
      const own = await allocateOwn(stage, wire, pages, memory === '' ? {} : { name: memory });
      write(own, random.bytes(own.size));
      const claimed = grantedOf(await wire.ask({ claim: { allocation: { id: own.id }, kinds } }));
      for (const fd of claimed.fds) {
        // The memory is still held after the session's release: it drains until that fd is closed.
        if (keepsFd) stage.leave(OwnedFd.duplicateOf(fd.fd, 'kept'), random.between(1, 3000));
        fd.close();
      }
      await wire.ask({ release: { grantId: claimed.grants[0]?.id ?? 0n } });
      if (frees) await wire.ask({ free: { allocation: { id: own.id } } });
      for (const fd of own.fds) fd.close();
    }
    if (memory !== '') await refusalOf(wire.ask({ free: { allocation: { name: memory } } }));
    return 'worked';
  },
};
