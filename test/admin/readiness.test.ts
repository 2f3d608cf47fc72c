/**
 * /readyz reports the readiness: with a lost device, after a policy that could not be read, and while the
 * daemon stops. The device is a fake (test/layer).
 */
import { writeFileSync } from 'node:fs';
import t from 'tap';
import {
  allocate,
  loseDevice,
  onFake,
  PAGE,
  release,
  stillServes,
  until,
  wireKinds,
} from '../faults/support.js';
import { ANYBODY, startDaemon } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { SupervisedDaemon, until as untilThere } from '../support/supervised-daemon.js';
import { get, scrape } from './support.js';

const ready = { ready: true, reasons: [], warnings: [] };

t.test('a daemon with a lost device is not ready', async (t) => {
  await onFake(t, [], async (host) => {
    const { runtimeDir } = host;
    const wire = await host.session();
    const retained = await allocate(wire, { sizeBytes: PAGE, kinds: wireKinds('MAPPABLE') });
    t.match((await get(runtimeDir, '/readyz')).json(), ready);
    await loseDevice(host, 'delay vkCreateDevice 1 1500');
    const lost = await get(runtimeDir, '/readyz');
    t.match(
      [lost.status, lost.json()],
      [503, { ready: false, reasons: [{ code: 'DEVICE_LOST' }], warnings: [] }],
    );
    t.equal((await get(runtimeDir, '/healthz')).status, 200, 'it is alive');
    const during = await scrape(runtimeDir);
    t.equal(during('vkmemd_ready'), 0);
    t.equal(during('vkmemd_allocations', 'state="LIVE"'), 1, 'metrics are served');
    t.equal((await get(runtimeDir, '/api/v1/allocations')).status, 200, 'and pages too');
    await stillServes(host);
    await until('it is ready again', async () => (await get(runtimeDir, '/readyz')).status === 200);
    t.equal((await scrape(runtimeDir))('vkmemd_ready'), 1);
    await release(retained);
  });
});

t.test('a driver whose budget does not arrive in time', async (t) => {
  await onFake(t, ['budget present'], async (host) => {
    const { runtimeDir } = host;
    t.equal((await scrape(runtimeDir))('vkmemd_heap_budget_estimated'), 0, 'the driver reports its budget');
    host.layer.script('budget present', 'delay vkGetPhysicalDeviceMemoryProperties2 * 4000');
    const [metrics, budget] = await Promise.all([scrape(runtimeDir), get(runtimeDir, '/api/v1/budget')]);
    t.throws(() => {
      if (metrics('vkmemd_heap_size_bytes') === 0) throw new Error('left out');
    }, 'the heaps are left out');
    t.equal(metrics('vkmemd_ready'), 1, 'other metrics are reported');
    t.match([budget.status, budget.json()], [503, { code: 'UNAVAILABLE' }]);
    host.layer.script('budget present');
    await until(
      'the heaps are reported again',
      async () => (await scrape(runtimeDir))('vkmemd_heap_size_bytes') > 0,
    );
  });
});

t.test('a policy that could not be reloaded is a warning', async (t) => {
  await onFake(t, [], async ({ runtimeDir, control, daemon }) => {
    writeFileSync(daemon.config, 'nonsense = 1\n');
    await t.rejects(control.call('ReloadPolicy', {}), { code: 'POLICY_INVALID' });
    const { status, json } = await get(runtimeDir, '/readyz');
    t.match(
      [status, json()],
      [200, { ready: true, reasons: [], warnings: [{ code: 'POLICY_INVALID', since: /^\d{4}-/ }] }],
    );
    writeFileSync(daemon.config, '');
    await control.call('ReloadPolicy', {});
    t.match((await get(runtimeDir, '/readyz')).json(), ready);
  });
});

t.test('a daemon that is importing memory of its predecessor is not ready', async (t) => {
  const layer = new FakeLayer(t);
  const supervised = await SupervisedDaemon.start(t, { env: layer.environment });
  const wire = await supervised.open();
  await wire.ask({ allocate: { sizeBytes: PAGE, kinds: wireKinds('OPAQUE_FD'), name: 'kept' } });
  // Longer than a front needs to start, on a busy machine too.
  layer.script('delay vkAllocateMemory * 4000');
  await supervised.kill();
  await untilThere('the daemon is starting', async () => {
    const answer = await get(supervised.runtimeDir, '/readyz').catch(() => undefined);
    return answer?.status === 503 && /is starting/.test(JSON.stringify(answer.json())) ? true : undefined;
  });
  layer.script('');
  await supervised.serving();
  t.match((await get(supervised.runtimeDir, '/readyz')).json(), ready);
  const second = await supervised.open();
  await second.ask({ free: { allocation: { name: 'kept' } } });
  for (const open of [wire, second]) open.close();
});

t.test('a stopping daemon is not ready', async (t) => {
  const layer = new FakeLayer(t);
  const { runtimeDir, stop } = await startDaemon(t, {
    env: layer.environment,
    policy: ANYBODY,
    unchecked: true,
  });
  const wire = await HandoffWire.open(runtimeDir);
  layer.script('delay vkAllocateMemory 1 3000');
  wire.send({ allocate: { sizeBytes: PAGE, kinds: wireKinds('OPAQUE_FD') } });
  // The allocation is in progress when a later request has been answered.
  wire.send({ release: { grantId: 1n } });
  await wire.next();
  const ended = stop();
  let last: Awaited<ReturnType<typeof get>> | undefined;
  await until('/readyz reports that it is stopping', async () => {
    last = await get(runtimeDir, '/readyz');
    return last.status === 503;
  });
  t.match(last?.json(), { ready: false, reasons: [{ code: 'UNAVAILABLE', message: /stopping/ }] });
  t.equal((await get(runtimeDir, '/healthz')).status, 200, 'it is alive while a request is in progress');
  t.strictSame(await ended, { code: 0, signal: null });
});
