/**
 * Memory of kinds that only the scripted layer supports here, whose driver is slow or fails at times:
 * allocated, granted and freed in large numbers.
 */
import type { Draft } from '@vkmemd/proto';
import type { Behaviour } from '../behaviour.js';
import { closeAnswer } from '../stage.js';

export const otherKinds: Behaviour<{ kind: string; allocations: number; pages: number }> = {
  name: 'other-kinds',
  weight: 5,
  needs: ['fake'],
  plan: (random) => ({
    kind: random.pick(['KIND_DMA_BUF', 'KIND_RDMA_ADDRESS', 'KIND_OPAQUE_FD']),
    allocations: random.pick([1, 4, 16]),
    pages: random.pick([1, 16, 256]),
  }),
  async perform(stage, { kind, allocations, pages }) {
    const wire = await stage.greet();
    const kinds = [kind as 'KIND_DMA_BUF'];
    const request: Draft<'ClientMessage'> = {
      allocate: { sizeBytes: BigInt(pages) * 4096n, kinds, grantKinds: kinds },
    };
    for (let i = 0; i < allocations; i += 1) wire.send(request);
    const ids: string[] = [];
    let refused = 0;
    for (let i = 0; i < allocations; i += 1) {
      const answer = await wire.next();
      const id = answer.message.allocate?.allocation?.id;
      if (id === undefined) refused += 1;
      else ids.push(id);
      closeAnswer(answer);
    }
    for (const id of ids) await wire.ask({ free: { allocation: { id } } });
    return `${kind} ${refused > 0 ? 'refused' : 'served'}`;
  },
};
