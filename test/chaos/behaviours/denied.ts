/**
 * Requests that the policy denies to a connected user: kinds, lifetimes, import, others' quotas, changes of
 * its own; on both planes. None may be served.
 */
import { createMemfd, type Draft } from '@vkmemd/proto';
import { type Behaviour, Breach } from '../behaviour.js';
import { closeAnswer, refusalOf } from '../stage.js';

const mappable = ['KIND_MAPPABLE'] as const;
const DRAFTS: Readonly<Record<string, Draft<'AllocateRequest'>>> = {
  'an opaque fd': { sizeBytes: 4096n, kinds: ['KIND_OPAQUE_FD'], grantKinds: ['KIND_OPAQUE_FD'] },
  'both kinds': { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE', 'KIND_OPAQUE_FD'], grantKinds: mappable },
  'a name': { sizeBytes: 4096n, kinds: mappable, name: 'mine' },
  'a lifetime': { sizeBytes: 4096n, kinds: mappable, name: 'mine', lifetime: 'LIFETIME_NAMED' },
  'one writer': { sizeBytes: 4096n, kinds: mappable, name: 'mine', sharing: 'SHARING_EXCLUSIVE' },
};

export const denied: Behaviour<{ what: string; byGrpc: boolean }> = {
  name: 'denied',
  weight: 5,
  needs: ['confined'],
  plan: (random) => ({
    what: random.pick([...Object.keys(DRAFTS), 'an import']),
    byGrpc: random.chance(0.5),
  }),
  async perform(stage, { what, byGrpc }) {
    const wire = await stage.greet();
    const draft = DRAFTS[what];
    let result: string;
    if (draft && byGrpc) {
      const { grantKinds: _, ...request } = draft;
      result = await refusalOf(stage.control(wire.welcome.sessionToken).call('Allocate', request));
    } else if (draft) {
      result = await refusalOf(wire.ask({ allocate: draft }));
    } else {
      wire.send({ import: { source: 'KIND_MAPPABLE' } }, [await createMemfd('mine', 4096n)]);
      const answer = await wire.next();
      result = answer.message.import ? 'served' : 'refused';
      closeAnswer(answer);
    }
    if (result === 'served') throw new Breach(`${what} was served, which the policy denies`);
    return `${what} ${result}`;
  },
};
