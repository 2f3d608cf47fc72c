/**
 * NAMED memory that one session at a time may write: several processes of a user request it, wait for it,
 * release it, close the connection, free it, or are killed with it mapped. The holder of the lock must not
 * see another client's word in it.
 */
import { type Mapping, mapFd } from '@vkmemd/proto';
import { type Behaviour, Breach } from '../behaviour.js';
import { rest } from '../rest.js';
import { type Granted, grantedOf, refusalOf, type Stage } from '../stage.js';

const kinds = ['KIND_MAPPABLE'] as const;

/** Watches the first word, which no other client may change meanwhile. */
async function watch({ buffer }: Mapping, forMs: number): Promise<void> {
  const words = new Uint32Array(buffer);
  const [mine] = words;
  for (const end = Date.now() + forMs; Date.now() < end; await rest(2)) {
    if (words[0] !== mine) throw new Breach('another client wrote while this one had the lock');
  }
}

/** @param word written first; undefined for a reader. */
function mapped(stage: Stage, { fds: [fd] }: Granted, word: number | undefined): Mapping {
  if (!fd) throw new Error('nothing was granted');
  const access = word === undefined ? 'ro' : 'rw';
  const mapping = mapFd(stage.keep(fd), { offset: 0n, length: 4096, access });
  if (word !== undefined) new Uint32Array(mapping.buffer)[0] = word;
  return mapping;
}

interface WriterParams {
  readonly sharing: 'SHARING_ONE_WRITER' | 'SHARING_EXCLUSIVE';
  readonly reads: boolean;
  readonly waitMs: number;
  readonly holdMs: number;
  readonly end: string;
  /** The number of claims that are cancelled beside it. */
  readonly others: number;
  readonly [more: string]: string | number | boolean;
}

export const writers: Behaviour<WriterParams> = {
  name: 'writers',
  weight: 6,
  plan: (random) => ({
    sharing: random.pick(['SHARING_ONE_WRITER', 'SHARING_EXCLUSIVE']),
    reads: random.chance(0.3),
    waitMs: random.pick([0, 20, 200, 1000]),
    holdMs: random.pick([0, 5, 50, 200]),
    end: random.pick(['release', 'release', 'close', 'close', 'free']),
    others: random.pick([0, 0, 1, 20]),
  }),
  async perform(stage, { sharing, reads, waitMs, holdMs, end, others }, random) {
    const wire = await stage.greet();
    const name = sharing === 'SHARING_EXCLUSIVE' ? 'exclusive' : 'one-writer';
    const draft = { sizeBytes: 4096n, kinds, name, sharing };
    const made = await refusalOf(wire.ask({ allocate: draft }));
    // Readers beside one writer see its writes.
    const access = reads && name === 'exclusive' ? 'ACCESS_READ_ONLY' : 'ACCESS_READ_WRITE';
    const claim = { allocation: { name }, kinds, access } as const;
    if (others > 0) {
      const leaving = await stage.greet();
      for (let i = 0; i < others; i += 1) leaving.send({ claim: { ...claim, waitMs: 60_000 } });
      stage.leave(leaving, random.between(1, 300));
    }
    const granted = grantedOf(await wire.ask({ claim: { ...claim, waitMs } }));
    const word = access === 'ACCESS_READ_ONLY' ? undefined : random.below(2 ** 32);
    const mapping = mapped(stage, granted, word);
    await watch(mapping, holdMs);
    if (end === 'free') await refusalOf(wire.ask({ free: { allocation: { id: granted.id } } }));
    if (end === 'close') {
      // With the memory mapped, the lock must stay with this process until it has ended.
      stage.drop(wire);
      await watch(mapping, holdMs + 100);
    }
    mapping.unmap();
    if (end === 'release') await wire.ask({ release: { grantId: granted.grants[0]?.id ?? 0n } });
    return `${made === 'served' ? 'made' : 'found'}, ${end}`;
  },
};
