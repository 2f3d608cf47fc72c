/**
 * Semaphores over restarts of the daemon, on SwiftShader, which exports and imports binary ones: with their payload
 * and their names, for as long as their owner, and what ends them.
 */
import type { Decoded, Draft } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { noSwiftShader, SemaphorePeer, SWIFTSHADER } from '../support/semaphore-peer.js';
import { type Greeted, SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { controlled, nothingLeft, rewritten } from './support.js';

// Each starts several daemons.
t.setTimeout(300_000);

const env = { VK_DRIVER_FILES: SWIFTSHADER };
const skip = noSwiftShader;
const binary = {
  type: 'SEMAPHORE_TYPE_BINARY',
  kinds: ['SEMAPHORE_KIND_OPAQUE_FD'],
} satisfies Draft<'CreateSemaphoreRequest'>;

async function create(wire: Greeted, more: Draft<'CreateSemaphoreRequest'> = {}) {
  const { message, fds } = await wire.ask({ createSemaphore: { ...binary, grant: true, ...more } });
  const { semaphore, grant } = message.createSemaphore ?? {};
  const [fd] = fds;
  if (!semaphore || !grant || !fd) throw new Error('no semaphore with a grant');
  return { semaphore, grant, fd };
}

const list = (daemon: SupervisedDaemon): Promise<Decoded<'Semaphore'>[]> =>
  controlled(daemon, async (control) => (await control.call('ListSemaphores', {})).semaphores);

async function empty(t: Test, daemon: SupervisedDaemon): Promise<void> {
  t.same(await list(daemon), []);
  await nothingLeft(t, daemon);
}

t.test('a binary semaphore with a name, its payload, and its other holder', { skip }, async (t) => {
  const daemon = await SupervisedDaemon.start(t, { env });
  const wire = await daemon.open();
  const { semaphore, grant, fd } = await create(wire, { name: 'order' });
  t.equal(semaphore.kept, true);
  t.match(grant, { kind: 'SEMAPHORE_KIND_OPAQUE_FD', fdCount: 1, vulkanHandleType: 1 });
  const { deviceUuid } = grant;
  const peer = await SemaphorePeer.start(t, { type: 'binary', deviceUuid, env }, fd);
  await wire.ask({ signalSemaphore: { semaphore: { name: 'order' } } });
  t.ok(await peer.wait(), 'the device signals it');
  await wire.ask({ signalSemaphore: { semaphore: { name: 'order' } } });
  await daemon.kill();
  await daemon.serving();
  t.ok(await peer.wait(), 'a signal from before the restart is there');
  t.match(await list(daemon), [{ ...semaphore, kept: true }], 'with its id and its name');
  const second = await daemon.open();
  await second.ask({ signalSemaphore: { semaphore: { id: semaphore.id } } });
  t.ok(await peer.wait(), 'the next daemon signals the same semaphore');
  const { message, fds } = await second.ask({ claimSemaphore: { semaphore: { name: 'order' } } });
  t.same(message.claimSemaphore?.grant, grant, 'it can be claimed');
  const late = await SemaphorePeer.start(t, { type: 'binary', deviceUuid, env }, fds[0]);
  await peer.signal();
  t.ok(await late.wait(), 'and its holders signal each other');
  await peer.end();
  await late.end();
  await t.rejects(second.ask({ createSemaphore: { ...binary, name: 'order' } }), { code: 'NAME_TAKEN' });
  await second.ask({ freeSemaphore: { semaphore: { name: 'order' } } });
  await daemon.kill();
  await daemon.serving();
  second.close();
  wire.close();
  await empty(t, daemon);
});

t.test('a semaphore of a session, and repeated requests', { skip }, async (t) => {
  const daemon = await SupervisedDaemon.start(t, { env });
  const wire = await daemon.open();
  const { semaphore, fd } = await create(wire, { requestId: 'r' });
  fd.close();
  const { message } = await wire.ask({ createSemaphore: { type: 'SEMAPHORE_TYPE_BINARY' } });
  t.equal(message.createSemaphore?.semaphore?.kept, false, 'one without a handle is not kept');
  await daemon.kill();
  await daemon.serving();
  t.match(await list(daemon), [{ id: semaphore.id, kept: true }], 'while its process lives');
  const again = await daemon.open({ token: wire.welcome.sessionToken, grantIds: [] });
  t.equal(again.welcome.restored, true, 'a session with nothing else is restored');
  const repeated = await create(again, { requestId: 'r' });
  repeated.fd.close();
  t.equal(repeated.semaphore.id, semaphore.id, 'a repeated request finds it');
  again.close();
  wire.close();
  await until('the end of the session', async () => ((await list(daemon)).length === 0 ? true : undefined));
  await daemon.kill();
  await daemon.serving();
  await empty(t, daemon);
});

t.test('killed at each step, it is there or gone', { skip }, async (t) => {
  const daemon = await SupervisedDaemon.start(t, { env });
  for (const [point, there] of [
    ['semaphore:stored', false],
    ['semaphore:written', true],
  ] as const) {
    const wire = await daemon.open();
    daemon.failAt(point);
    await t.rejects(create(wire, { name: 'order' }));
    daemon.writesSucceed();
    await daemon.serving();
    t.equal((await list(daemon)).length, there ? 1 : 0, point);
    wire.close();
  }
  const wire = await daemon.open();
  daemon.failAt('semaphore:ending');
  await t.rejects(wire.ask({ freeSemaphore: { semaphore: { name: 'order' } } }));
  daemon.writesSucceed();
  await daemon.serving();
  wire.close();
  await empty(t, daemon);
});

t.test('a ledger that cannot be written', { skip }, async (t) => {
  const daemon = await SupervisedDaemon.start(t, { env });
  const wire = await daemon.open();
  (await create(wire, { name: 'kept' })).fd.close();
  daemon.failWrites('ENOSPC');
  await t.rejects(create(wire, { name: 'order' }), { code: 'LEDGER_FULL' });
  await t.rejects(wire.ask({ freeSemaphore: { semaphore: { name: 'kept' } } }), { code: 'LEDGER_FULL' });
  t.match(await list(daemon), [{ name: 'kept' }], 'nothing was changed');
  daemon.writesSucceed();
  await until('a ledger that can be written', async () => {
    try {
      return await wire.ask({ freeSemaphore: { semaphore: { name: 'kept' } } });
    } catch {
      return undefined;
    }
  });
  wire.close();
  await empty(t, daemon);
});

t.test('records of another device, and damaged ones', { skip }, async (t) => {
  const daemon = await SupervisedDaemon.start(t, { env });
  const wire = await daemon.open();
  for (const name of ['other', 'damaged', 'good']) (await create(wire, { name })).fd.close();
  wire.close();
  await rewritten(daemon, (ledger) => {
    for (const record of ledger.semaphores.all) {
      const madeBy = { ...record.madeBy, driverUuid: Buffer.alloc(16, 7) };
      if (record.terms.name === 'other') ledger.semaphores.put(record.id, { ...record, madeBy });
      if (record.terms.name === 'damaged') ledger.semaphores.put(record.id, { ...record, createdAt: -1 });
    }
  });
  await daemon.serving();
  t.match(await list(daemon), [{ name: 'good' }]);
  t.match(daemon.log, /semaphore other is lost: The driver was/);
  t.match(daemon.log, /semaphore .* was set aside: its field createdAt/);
  let damaged: string | undefined;
  await rewritten(daemon, (ledger) => {
    ledger.semaphores.read(({ id }) => {
      damaged = id;
    });
    if (damaged) ledger.semaphores.remove(damaged);
  });
  t.ok(damaged, 'the damaged record stayed');
  await daemon.serving();
  const last = await daemon.open();
  await last.ask({ freeSemaphore: { semaphore: { name: 'good' } } });
  last.close();
  await empty(t, daemon);
});
