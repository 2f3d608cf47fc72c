/**
 * As much memory, as many allocations, tickets and sessions as possible, on any number of connections: never
 * more than the policy's limit for the user, across all its processes.
 */
import { type Behaviour, Breach } from '../behaviour.js';
import { rest } from '../rest.js';
import { refusalOf, type Stage } from '../stage.js';
import { MAX } from '../tenants.js';

const kinds = ['KIND_MAPPABLE'] as const;

async function checkQuota(stage: Stage): Promise<void> {
  const { quota } = await stage.control().call('GetQuota', {});
  if (!quota) throw new Error('an answer contains no quota');
  const used: readonly [string, bigint, bigint][] = [
    ...quota.heaps.map(({ usedBytes }) => ['bytes', usedBytes, MAX.bytes] as [string, bigint, bigint]),
    ['allocations', BigInt(quota.allocations?.used ?? 0), BigInt(MAX.allocations)],
    ['sessions', BigInt(quota.sessions?.used ?? 0), BigInt(MAX.sessions)],
    ['tickets', BigInt(quota.tickets?.used ?? 0), BigInt(MAX.tickets)],
  ];
  for (const [what, count, max] of used) {
    if (count > max) throw new Breach(`a user has ${count} ${what} of ${max}`);
  }
}

export const hoard: Behaviour<{ what: string; at: number; keepMs: number }> = {
  name: 'hoard',
  weight: 3,
  needs: ['others'],
  plan: (random) => ({
    what: random.pick(['bytes', 'bytes', 'allocations', 'tickets', 'sessions']),
    at: random.pick([1, 4, 8]),
    keepMs: random.pick([0, 20, 200]),
  }),
  async perform(stage, { what, at, keepMs }) {
    const wires = [await stage.greet()];
    const first = wires[0] as (typeof wires)[0];
    const memory = { sizeBytes: what === 'bytes' ? 8n << 20n : 4096n, kinds };
    const own = (await first.ask({ allocate: { sizeBytes: 4096n, kinds } })).message.allocate?.allocation?.id;
    // One connection after the other, `at` concurrent requests each, until one is refused.
    let result = 'served';
    for (let round = 0; result === 'served' && round < 80; round += 1) {
      if (what === 'sessions') {
        const opened = await Promise.all(Array.from({ length: at }, () => refusalOf(stage.greet())));
        result = opened.find((word) => word !== 'served') ?? 'served';
        continue;
      }
      const wire = round % 8 === 7 ? await stage.greet() : first;
      const request =
        what === 'tickets' ? { createTicket: { allocation: { id: own ?? '' } } } : { allocate: memory };
      for (let i = 0; i < at; i += 1) wire.send(request);
      for (let i = 0; i < at; i += 1) {
        const { message } = await wire.next();
        if (message.error) result = 'refused';
      }
    }
    await checkQuota(stage);
    await rest(keepMs);
    return `${what} ${result}`;
  },
};
