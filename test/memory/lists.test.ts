/**
 * Lists of allocations: complete and sorted, of any length, and built in parts, between which other requests
 * are served.
 */
import { setImmediate } from 'node:timers/promises';
import type { Decoded } from '@vkmemd/proto';
import t from 'tap';
import type { Registry } from 'vkmemd/dist/memory/allocation/registry.js';
import type { Caller } from 'vkmemd/dist/memory/session/caller.js';
import { visibleParts } from 'vkmemd/dist/requests/list-allocations.js';
import { ControlWire } from '../support/control-wire.js';
import { startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

const MANY = 150;

t.test('a list is built in parts', async (t) => {
  const visible = Array.from({ length: MANY }, (_, at) => ({
    charge: { state: 'live' },
    describe: () => ({ id: String(at) }) as Decoded<'Allocation'>,
  }));
  const registry = { visibleTo: () => visible } as unknown as Registry;
  let gone = false;
  const caller = { identity: { uid: 1 }, gone: () => gone } as unknown as Caller;
  const ids: string[] = [];
  let turns = 0;
  const sizes: number[] = [];
  void (async () => {
    for (; sizes.length < 3; turns += 1) await setImmediate();
  })();
  for await (const { allocations } of visibleParts(registry, caller)) {
    sizes.push(allocations.length);
    ids.push(...allocations.map(({ id }) => id));
    const last = visible.at(-1);
    if (last) last.charge.state = 'settled';
  }
  t.ok(turns >= 2, 'other events are handled between two parts');
  t.ok(sizes.length > 2 && Math.max(...sizes) < 100, `parts of ${sizes.join(', ')}`);
  t.strictSame(ids, [...Array(MANY - 1).keys()].map(String), 'without the one that ended meanwhile');
  gone = true;
  await t.rejects(visibleParts(registry, caller).next(), { code: 'UNAVAILABLE' });
});

t.test('a long list over gRPC', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  t.strictSame((await control.call('ListAllocations', {})).allocations, []);
  const made: string[] = [];
  for (let i = 0; i < MANY; i += 1) {
    const { message } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } });
    made.push(message.allocate?.allocation?.id ?? '');
  }
  const lists = await Promise.all(Array.from({ length: 50 }, () => control.call('ListAllocations', {})));
  for (const { allocations } of lists) {
    t.strictSame(
      allocations.map(({ id }) => id),
      made,
    );
  }
  wire.close();
  control.close();
});
