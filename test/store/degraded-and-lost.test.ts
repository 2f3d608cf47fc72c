/**
 * Memory that the device rejects after a restart, on a device that is then lost: it stays degraded, and is
 * restored when the device accepts it.
 */
import t from 'tap';
import { FakeLayer } from '../support/fake-layer.js';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { controlled, list, nothingLeft } from './support.js';

const OPAQUE = ['KIND_OPAQUE_FD'] as const;
const MAPPABLE = ['KIND_MAPPABLE'] as const;

t.test('a lost device imports degraded memory when it is open again', { timeout: 120_000 }, async (t) => {
  const layer = new FakeLayer(t);
  const daemon = await SupervisedDaemon.start(t, { env: layer.environment });
  const probes = layer.calls('vkAllocateMemory').length;
  const wire = await daemon.open();
  await wire.ask({ allocate: { sizeBytes: 65_536n, kinds: MAPPABLE, name: 'mapped' } });
  await wire.ask({ allocate: { sizeBytes: 65_536n, kinds: OPAQUE, name: 'opaque' } });
  // Opening a device makes this many calls, also at the start; the next call is for the mapped memory.
  const refused = Array.from(
    { length: 40 },
    (_, i) => `fail vkAllocateMemory ${probes + 2 + i} VK_ERROR_OUT_OF_DEVICE_MEMORY`,
  );
  layer.script(...refused);
  await daemon.kill();
  await daemon.serving();
  const stateOf = async (wanted: string) =>
    (await list(daemon)).find(({ name }) => name === wanted)?.state ?? 'none';
  t.equal(await stateOf('opaque'), 'ALLOCATION_STATE_DEGRADED');
  layer.script('fail vkQueueSubmit 1 VK_ERROR_DEVICE_LOST', ...refused);
  const fill = { fill: { allocation: { name: 'mapped' }, pattern: 1 } };
  const filled = () => controlled(daemon, (control) => control.call('Transfer', fill));
  await t.rejects(filled(), { code: 'DEVICE_LOST' });
  await until('another device', () => (/the device serves again/.test(daemon.log) ? true : undefined));
  t.equal(await stateOf('opaque'), 'ALLOCATION_STATE_DEGRADED', 'it still exists');
  layer.script();
  await until('the memory is on the device', async () =>
    (await stateOf('opaque')) === 'ALLOCATION_STATE_LIVE' ? true : undefined,
  );
  await filled();
  for (const name of ['mapped', 'opaque']) {
    await controlled(daemon, (control) => control.call('FreeAllocation', { allocation: { name } }));
  }
  wire.close();
  await nothingLeft(t, daemon);
});
