/**
 * /readyz tells the truth: while the device is lost, after a policy that could not be read, and while the
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

t.test('a lost device', async (t) => {
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
    t.equal((await get(runtimeDir, '/healthz')).status, 200, 'but it lives');
    const during = await scrape(runtimeDir);
    t.equal(during('vkmemd_ready'), 0);
    t.equal(during('vkmemd_allocations', 'state="LIVE"'), 1, 'and is measured');
    t.equal((await get(runtimeDir, '/api/v1/allocations')).status, 200, 'and looked at');
    await stillServes(host);
    await until('it is ready again', async () => (await get(runtimeDir, '/readyz')).status === 200);
    t.equal((await scrape(runtimeDir))('vkmemd_ready'), 1);
    await release(retained);
  });
});

t.test('a driver that does not report its budget', async (t) => {
  await onFake(t, ['budget present'], async (host) => {
    const { runtimeDir } = host;
    t.equal((await scrape(runtimeDir))('vkmemd_heap_budget_estimated'), 0, 'one that does');
    host.layer.script('budget present', 'delay vkGetPhysicalDeviceMemoryProperties2 * 4000');
    const [metrics, budget] = await Promise.all([scrape(runtimeDir), get(runtimeDir, '/api/v1/budget')]);
    t.throws(() => {
      if (metrics('vkmemd_heap_size_bytes') === 0) throw new Error('left out');
    }, 'its heaps are left out');
    t.equal(metrics('vkmemd_ready'), 1, 'the rest is there');
    t.match([budget.status, budget.json()], [503, { code: 'UNAVAILABLE' }]);
    host.layer.script('budget present');
    await until('it is reported again', async () => (await scrape(runtimeDir))('vkmemd_heap_size_bytes') > 0);
  });
});

t.test('a policy that could not be read again', async (t) => {
  await onFake(t, [], async ({ runtimeDir, control, daemon }) => {
    writeFileSync(daemon.config, 'nonsense = 1\n');
    await t.rejects(control.call('ReloadPolicy', {}), { code: 'POLICY_INVALID' });
    const { status, json } = await get(runtimeDir, '/readyz');
    t.match([status, json()], [200, { ready: true, reasons: [], warnings: [{ code: 'POLICY_INVALID' }] }]);
    writeFileSync(daemon.config, '');
    await control.call('ReloadPolicy', {});
    t.match((await get(runtimeDir, '/readyz')).json(), ready);
  });
});

t.test('a daemon that imports what outlived the one before it', async (t) => {
  const layer = new FakeLayer(t);
  const supervised = await SupervisedDaemon.start(t, { env: layer.environment });
  const wire = await supervised.open();
  await wire.ask({ allocate: { sizeBytes: PAGE, kinds: wireKinds('OPAQUE_FD'), name: 'kept' } });
  layer.script('delay vkAllocateMemory * 400');
  await supervised.kill();
  await untilThere('that it is starting', async () => {
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

t.test('a daemon that stops', async (t) => {
  const layer = new FakeLayer(t);
  const { runtimeDir, stop } = await startDaemon(t, {
    env: layer.environment,
    policy: ANYBODY,
    unchecked: true,
  });
  const wire = await HandoffWire.open(runtimeDir);
  layer.script('delay vkAllocateMemory 1 3000');
  wire.send({ allocate: { sizeBytes: PAGE, kinds: wireKinds('OPAQUE_FD') } });
  // It is under way when the next thing that came after it is answered.
  wire.send({ release: { grantId: 1n } });
  await wire.next();
  const ended = stop();
  let last: Awaited<ReturnType<typeof get>> | undefined;
  await until('it says so', async () => {
    last = await get(runtimeDir, '/readyz');
    return last.status === 503;
  });
  t.match(last?.json(), { ready: false, reasons: [{ code: 'UNAVAILABLE', message: /stopping/ }] });
  t.equal((await get(runtimeDir, '/healthz')).status, 200, 'while it waits for what is under way');
  t.strictSame(await ended, { code: 0, signal: null });
});
