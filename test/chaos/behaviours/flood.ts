/** The maximum number of concurrent requests of a connection, of one type, and hundreds more queued. */
import type { Draft } from '@vkmemd/proto';
import type { Behaviour } from '../behaviour.js';
import { rest } from '../rest.js';
import { closeAnswer } from '../stage.js';

const kinds = ['KIND_MAPPABLE'] as const;
const REQUESTS: Readonly<Record<string, Draft<'ClientMessage'>>> = {
  allocate: { allocate: { sizeBytes: 4096n, kinds, grantKinds: kinds } },
  'allocate much': { allocate: { sizeBytes: 1n << 20n, kinds } },
  'claim nothing': { claim: { allocation: { name: 'nothing' }, kinds } },
  'free nothing': { free: { allocation: { id: '00000000-0000-4000-8000-000000000000' } } },
  'a bad size': { allocate: { sizeBytes: -1n, kinds } },
};

export const flood: Behaviour<{ what: string; requests: number; leaves: boolean }> = {
  name: 'flood',
  weight: 3,
  plan: (random) => ({
    what: random.pick(Object.keys(REQUESTS)),
    requests: random.pick([32, 100, 200]),
    leaves: random.chance(0.3),
  }),
  async perform(stage, { what, requests, leaves }) {
    const wire = await stage.greet();
    for (let i = 0; i < requests; i += 1) wire.send(REQUESTS[what] ?? {});
    if (leaves) {
      // It closes while most requests are still in progress.
      await rest(2);
      return `${what}, gone`;
    }
    let refusal = '';
    for (let i = 0; i < requests; i += 1) {
      const answer = await wire.next();
      refusal = answer.message.error ? 'refused' : 'served';
      closeAnswer(answer);
    }
    return `${what} ${refusal}`;
  },
};
