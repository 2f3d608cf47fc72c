/**
 * Timelines as OPAQUE_FD on the fake driver, whose handle is a counter in a memfd: what the daemon does with handles,
 * over restarts, and when the device is lost. It shows the daemon's logic, and nothing of a GPU.
 */
import { connect } from '@vkmemd/client';
import { mapFd, type OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import { assertCounts, assertNoLeaks, startDaemon } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { SupervisedDaemon } from '../support/supervised-daemon.js';

t.setTimeout(120_000);

/** The counter behind a handle, as a peer's GPU would see it. */
function counterOf(fd: OwnedFd) {
  const mapping = mapFd(fd, { offset: 0n, length: 4096, access: 'rw' });
  const value = new BigUint64Array(mapping.buffer, 0, 1);
  return {
    get value() {
      return Atomics.load(value, 0);
    },
    set value(next: bigint) {
      Atomics.store(value, 0, next);
    },
    end: () => mapping.unmap(),
  };
}

t.test('a holder of the handle and the daemon signal each other', async (t) => {
  const layer = new FakeLayer(t, 'semaphores fake');
  const { runtimeDir } = await startDaemon(t, { env: layer.environment });
  const client = await connect({ runtimeDir });
  const { devices } = await client.control.devices();
  t.match(devices[0]?.semaphores, [
    { type: 'SEMAPHORE_TYPE_TIMELINE', exportable: true, importable: true, reason: '' },
    { kind: 'SEMAPHORE_KIND_OPAQUE_FD', exportable: false },
    { kind: 'SEMAPHORE_KIND_SYNC_FD', exportable: true, importable: false },
  ]);
  const semaphore = await client.createSemaphore({ initialValue: 1 });
  t.equal(semaphore.info.kept, false, 'without an fd store nothing is kept');
  const peer = counterOf(semaphore.fd);
  t.equal(peer.value, 1n);
  await semaphore.signal(2);
  t.equal(peer.value, 2n);
  const waiting = semaphore.wait(3);
  peer.value = 4n;
  t.equal(await waiting, 4n);
  const memory = await client.allocate({ size: 4096 });
  const order = { wait: [{ semaphore, value: 5 }], signal: [{ semaphore, value: 6 }] };
  const transferred = client.transfer({ fill: { to: { id: memory.id }, pattern: 7 }, ...order });
  peer.value = 5n;
  await transferred;
  t.equal(peer.value, 6n);
  // A hostile holder takes the value back.
  peer.value = 0n;
  await t.rejects(semaphore.wait(6, { timeoutMs: 50 }), { code: 'WAIT_TIMED_OUT' });
  t.equal(layer.calls('vkQueueSubmit').length > 0, true);
  await memory.free();
  await semaphore.free();
  peer.value = 9n;
  t.equal(peer.value, 9n, 'the handle outlives the semaphore');
  peer.end();
  await client.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('a SYNC_FD is one shot', async (t) => {
  const layer = new FakeLayer(t, 'semaphores fake');
  const daemon = await SupervisedDaemon.start(t, { env: layer.environment });
  const client = await connect({ runtimeDir: daemon.runtimeDir });
  const semaphore = await client.createSemaphore({ type: 'BINARY', kinds: ['SYNC_FD'], name: 'shot' });
  t.equal(semaphore.info.kept, false);
  const claim = async () => (await client.claimSemaphore({ name: 'shot' })).close();
  await t.rejects(claim(), { code: 'INVALID_ARGUMENT', reason: /is not signalled/ });
  await semaphore.signal();
  await t.rejects(semaphore.signal(), { code: 'INVALID_ARGUMENT', reason: /no SYNC_FD was claimed/ });
  await claim();
  await t.rejects(claim(), { code: 'INVALID_ARGUMENT' }, 'a claim takes the signal with it');
  const memory = await client.allocate({ size: 4096 });
  await client.transfer({ sync: { id: memory.id }, signal: [{ semaphore }] });
  await claim();
  layer.script('semaphores fake', 'fail vkGetSemaphoreFdKHR 1 VK_ERROR_TOO_MANY_OBJECTS');
  await semaphore.signal();
  await t.rejects(claim(), { code: 'UNAVAILABLE' });
  await claim();
  t.pass('a failed claim leaves the signal');
  await memory.free();
  await daemon.kill();
  await daemon.serving();
  t.same(await client.control.semaphores.list(), [], 'it is never kept');
  await client.close();
});

t.test('a timeline outlives the daemon', async (t) => {
  const layer = new FakeLayer(t, 'semaphores fake');
  const daemon = await SupervisedDaemon.start(t, { env: layer.environment });
  const client = await connect({ runtimeDir: daemon.runtimeDir });
  const semaphore = await client.createSemaphore({ name: 'order' });
  t.equal(semaphore.info.kept, true);
  const peer = counterOf(semaphore.fd);
  await semaphore.signal(3);
  const waiting = semaphore.wait(5);
  await daemon.kill();
  peer.value = 5n;
  t.equal(await waiting, 5n, 'a wait is asked again, and sees what came meanwhile');
  await semaphore.signal(6);
  t.equal(peer.value, 6n);
  const claimed = await client.claimSemaphore({ name: 'order' });
  const late = counterOf(claimed.fd);
  late.value = 8n;
  t.equal(await semaphore.wait(8), 8n, 'a handle of a restored semaphore is of the same counter');
  layer.script('semaphores fake', 'fail vkImportSemaphoreFdKHR 1 VK_ERROR_INVALID_EXTERNAL_HANDLE');
  await daemon.kill();
  await daemon.serving();
  await t.rejects(client.control.semaphores.get({ name: 'order' }), { code: 'NOT_FOUND' });
  t.match(daemon.log, /semaphore order is lost: the device does not import it/);
  for (const each of [peer, late]) each.end();
  await client.close();
});

t.test('the device is lost', async (t) => {
  const layer = new FakeLayer(t, 'semaphores fake');
  const { runtimeDir } = await startDaemon(t, { env: layer.environment });
  const client = await connect({ runtimeDir });
  const semaphore = await client.createSemaphore({ name: 'order' });
  const memory = await client.allocate({ size: 4096 });
  const waiting = t.rejects(semaphore.wait(1), { code: 'DEVICE_LOST' });
  layer.script('semaphores fake', 'fail vkQueueSubmit 1 VK_ERROR_DEVICE_LOST');
  await t.rejects(client.transfer({ fill: { to: { id: memory.id }, pattern: 1 } }), { code: 'DEVICE_LOST' });
  await waiting;
  for (let serving = false; !serving; ) serving = (await client.control.status()).ready;
  t.match(await client.control.semaphores.get({ name: 'order' }), {
    semaphore: { state: 'SEMAPHORE_STATE_LOST', kept: false },
  });
  await t.rejects(semaphore.signal(2), { code: 'DEVICE_LOST', reason: /was lost with the device/ });
  await t.rejects(client.claimSemaphore({ name: 'order' }), { code: 'DEVICE_LOST' });
  await assertCounts(t, runtimeDir, {
    sessions: 1,
    allocations: 1,
    grants: 1,
    fds: 1,
    deviceMemories: 1,
    semaphores: 1,
  });
  const next = await client.createSemaphore();
  await next.signal(1);
  t.pass('the new device has semaphores');
  await next.free();
  await semaphore.free();
  await memory.free();
  await client.close();
  await assertNoLeaks(t, runtimeDir);
  t.same(layer.leaks(), []);
});
