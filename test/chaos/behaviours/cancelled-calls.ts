/**
 * gRPC calls that are cancelled before they are answered: memory allocated, filled and freed, and connections
 * closed with dozens of calls in progress.
 */
import type { Behaviour } from '../behaviour.js';
import { rest } from '../rest.js';
import { refusalOf } from '../stage.js';

const kinds = ['KIND_MAPPABLE'] as const;

export const cancelledCalls: Behaviour<{ calls: number; what: string; afterMs: number; memory: string }> = {
  name: 'cancelled-calls',
  weight: 3,
  plan: (random) => ({
    calls: random.pick([1, 8, 40]),
    what: random.pick(['allocate', 'fill', 'list', 'free']),
    afterMs: random.pick([0, 1, 3, 10]),
    memory: `c${random.below(4)}`,
  }),
  async perform(stage, { calls, what, afterMs, memory }) {
    const control = stage.control();
    const allocation = { name: memory };
    await refusalOf(control.call('Allocate', { sizeBytes: 1n << 18n, kinds, name: memory }));
    const ask = (i: number) => {
      if (what === 'allocate') {
        return control.call('Allocate', { sizeBytes: 4096n, kinds, name: `${memory}.${i % 8}` });
      }
      if (what === 'fill') return control.call('Transfer', { fill: { allocation, pattern: i } });
      if (what === 'free') return control.call('FreeAllocation', { allocation });
      return control.call('ListAllocations', {});
    };
    const ends = Array.from({ length: calls }, (_, i) => refusalOf(ask(i)).catch(() => 'cut off'));
    await rest(afterMs);
    control.close();
    const results = new Set(await Promise.all(ends));
    const later = stage.control();
    const left = (await later.call('ListAllocations', {})).allocations;
    for (const { id, name } of left) {
      if (name.startsWith(memory)) await refusalOf(later.call('FreeAllocation', { allocation: { id } }));
    }
    return `${what} ${[...results].sort().join(', ')}`;
  },
};
