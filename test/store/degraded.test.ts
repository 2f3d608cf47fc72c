/**
 * Memory that survives its daemon although the device rejects it: memory of another device or driver, or
 * sealed against writing; it can be claimed and freed, but the device cannot use it. Also the log of
 * restarts.
 */
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { get } from '../admin/support.js';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import { allocate, budget, claim, controlled, holds, list, nothingLeft, rewritten } from './support.js';

const OPAQUE = ['KIND_OPAQUE_FD'] as const;

t.test('memory of another driver stays degraded; host memory is imported again', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  const mapped = await allocate(wire, 0x21, { name: 'mapped' });
  await wire.ask({ release: { grantId: mapped.grantId } });
  mapped.fd.close();
  await wire.ask({ allocate: { sizeBytes: 65_536n, kinds: OPAQUE, name: 'opaque' } });
  await rewritten(daemon, ({ allocations }) => {
    for (const record of allocations.all) {
      const madeBy = { ...record.madeBy, driverUuid: Buffer.alloc(16, 1) };
      // Another device also has other types and heaps.
      const plan = { ...record.plan, memoryTypeIndex: 31, heapIndex: 15 };
      allocations.put(record.id, { ...record, madeBy, plan: record.plan.memfd ? plan : record.plan });
    }
  });
  for (const restart of ['the first', 'the second']) {
    const states = Object.fromEntries((await list(daemon)).map(({ name, state }) => [name, state]));
    const expected = { mapped: 'ALLOCATION_STATE_LIVE', opaque: 'ALLOCATION_STATE_DEGRADED' };
    t.strictSame(states, expected, `after ${restart} restart`);
    await rewritten(daemon, ({ allocations }) => {
      const { mapped, opaque } = Object.fromEntries(allocations.all.map((one) => [one.terms.name, one]));
      t.not(mapped?.plan.memoryTypeIndex, 31, 'host memory is planned for the current driver');
      t.not(mapped?.madeBy.driverUuid[0], 1, 'and belongs to it');
      t.equal(opaque?.madeBy.driverUuid[0], 1, 'other memory is unchanged');
    });
  }
  // Every retry occurs within this time.
  await setTimeout(2000);
  t.match((await list(daemon)).find(({ name }) => name === 'opaque')?.state, 'ALLOCATION_STATE_DEGRADED');
  t.match(daemon.log, /The driver was 01010101-/, 'the log states the reason');
  const reconnected = await daemon.open();
  const held = await claim(reconnected, { name: 'mapped' });
  t.ok(holds(held, 0x21), 'host memory has its bytes');
  held.fd.close();
  const { message, fds } = await reconnected.ask({
    claim: { allocation: { name: 'opaque' }, kinds: OPAQUE },
  });
  t.equal(fds.length, 1, 'the stored fd is granted');
  t.equal(message.claim?.grants[0]?.driverUuid[0], 1, 'with the UUID of the driver that created it');
  for (const fd of fds) fd.close();
  const fill = { fill: { allocation: { name: 'opaque' }, pattern: 1 } };
  await t.rejects(
    controlled(daemon, (control) => control.call('Transfer', fill)),
    { code: 'DEGRADED' },
    'it is not on the device',
  );
  for (const name of ['mapped', 'opaque']) {
    await controlled(daemon, (control) => control.call('FreeAllocation', { allocation: { name } }));
  }
  reconnected.close();
  wire.close();
  await nothingLeft(t, daemon);
});

t.test('published memory can be granted for reading after a restart', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  const held = await allocate(wire, 0x31, { name: 'model', publishable: true } as object);
  await wire.ask({ publish: { allocation: { name: 'model' } } });
  await daemon.kill();
  await daemon.serving();
  const [allocation] = await list(daemon);
  t.match(allocation, { state: 'ALLOCATION_STATE_DEGRADED', published: true, kept: true });
  const reconnected = await daemon.open();
  const second = await claim(reconnected, { name: 'model' });
  t.ok(holds(second, 0x31), 'it is granted for reading, with its bytes');
  const rw = { allocation: { name: 'model' }, kinds: ['KIND_MAPPABLE'] as const };
  await t.rejects(reconnected.ask({ claim: rw }), { code: 'PUBLISHED' }, 'it is not granted for writing');
  for (const { fd } of [held, second]) fd.close();
  await reconnected.ask({ free: { allocation: { name: 'model' } } });
  reconnected.close();
  wire.close();
  await nothingLeft(t, daemon);
});

t.test('the log of a restart names the restored, degraded and lost memory', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  await wire.ask({ allocate: { sizeBytes: 65_536n, kinds: OPAQUE, name: 'opaque' } });
  t.equal((await list(daemon))[0]?.kept, true);
  for (const restarts of [1, 2]) {
    await daemon.kill();
    await daemon.serving();
    const { text } = await get(daemon.runtimeDir, '/metrics');
    t.match(text, new RegExp(`^vkmemd_restarts_survived ${restarts}$`, 'm'));
    t.match(text, /^vkmemd_allocations\{.*state="LIVE".*\} 1$/m);
  }
  t.match((await budget(daemon)).counts, { allocations: 1, sessions: 0 });
  t.match(daemon.log, /the state of the previous daemon was restored/);
  await controlled(daemon, (control) => control.call('FreeAllocation', { allocation: { name: 'opaque' } }));
  wire.close();
  await nothingLeft(t, daemon);
});
