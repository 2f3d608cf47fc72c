/** A user that the policy does not let connect: every first message, on both planes, must be refused. */
import { PROTOCOL_VERSION } from '@vkmemd/proto';
import { type Behaviour, Breach } from '../behaviour.js';
import { refusalOf, wordOf } from '../stage.js';

export const shutOut: Behaviour<{ says: string; times: number }> = {
  name: 'shut-out',
  weight: 10,
  needs: ['refused'],
  plan: (random) => ({
    says: random.pick(['hello', 'nothing', 'a request', 'list', 'budget', 'devices', 'quota']),
    times: random.pick([1, 1, 5]),
  }),
  async perform(stage, { says, times }) {
    let result = '';
    for (let i = 0; i < times; i += 1) {
      const control = stage.control();
      const calls: Record<string, () => Promise<object>> = {
        list: () => control.call('ListAllocations', {}),
        budget: () => control.call('GetBudget', {}),
        devices: () => control.call('ListDevices', {}),
        quota: () => control.call('GetQuota', {}),
      };
      const call = calls[says];
      if (call) {
        result = await refusalOf(call());
      } else {
        const wire = stage.connect();
        if (says === 'hello') wire.send({ hello: { protocolVersion: PROTOCOL_VERSION } });
        if (says === 'a request') wire.send({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } });
        result = await wordOf(wire);
      }
      if (result === 'served') throw new Breach(`${says} of a user who may not connect was served`);
    }
    return `${says} ${result}`;
  },
};
