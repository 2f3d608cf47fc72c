/**
 * Semaphores by the client library: handles and their owner, waits and signals, tickets, transfers, and what is sent
 * again after a restart of the daemon. On SwiftShader where a handle is needed.
 */
import { existsSync, readlinkSync } from 'node:fs';
import { connect, Semaphore } from '@vkmemd/client';
import t from 'tap';
import { assertCounts, assertNoLeaks, startDaemon } from '../support/daemon.js';
import { noSwiftShader, SemaphorePeer, SWIFTSHADER } from '../support/semaphore-peer.js';
import { SupervisedDaemon } from '../support/supervised-daemon.js';

t.setTimeout(120_000);

const env = { VK_DRIVER_FILES: SWIFTSHADER };
const isOpen = (fd: number): boolean => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) !== '';
  } catch {
    return false;
  }
};

t.test('a timeline without a handle', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connect({ runtimeDir });
  {
    await using semaphore = await client.createSemaphore({ kinds: [], initialValue: 5 });
    t.ok(semaphore instanceof Semaphore);
    t.match(semaphore, { created: true, grant: null, name: '' });
    t.throws(() => semaphore.fd, { code: 'KIND_NOT_REQUESTED' });
    t.equal(await semaphore.wait(5), 5n);
    await t.rejects(semaphore.wait(6n, { timeoutMs: 0 }), { code: 'WAIT_TIMED_OUT' });
    const waiting = semaphore.wait(6n);
    await semaphore.signal(7);
    t.equal(await waiting, 7n);
    await t.rejects(semaphore.signal(7), { code: 'INVALID_ARGUMENT' });
    for (const value of [-1, 1.5, 1n << 64n, '1']) {
      await t.rejects(semaphore.wait(value as never), {
        code: 'INVALID_ARGUMENT',
        metadata: { field: 'value' },
      });
    }
    await t.rejects(semaphore.wait(1, { timeoutMs: 60_001 }), { code: 'INVALID_ARGUMENT' });
    await t.rejects(semaphore.createTicket(), { code: 'KIND_NOT_REQUESTED' });
    await assertCounts(t, runtimeDir, { sessions: 1, semaphores: 1 });
  }
  await assertCounts(t, runtimeDir, { sessions: 1 });
  t.pass('the end of the scope frees one of the session');
  {
    await using named = await client.createSemaphore({ kinds: [], name: 'order' });
    t.equal(named.name, 'order');
  }
  const { semaphores } = client.control;
  t.match(await semaphores.list(), [{ name: 'order', lifetime: 'LIFETIME_NAMED' }], 'one with a name stays');
  await semaphores.signal({ name: 'order' }, 3);
  t.equal(await semaphores.wait({ name: 'order' }, 2), 3n);
  t.match(await semaphores.get({ name: 'order' }), { value: 3n });
  const memory = await client.allocate({ size: 4096 });
  const transferred = client.transfer({
    fill: { to: { id: memory.id }, pattern: 1 },
    wait: [{ semaphore: { name: 'order' }, value: 4 }],
    signal: [{ semaphore: { name: 'order' }, value: 9n }],
  });
  await semaphores.signal({ name: 'order' }, 4);
  await transferred;
  t.equal((await semaphores.get({ name: 'order' })).value, 9n);
  const late = {
    sync: { id: memory.id },
    wait: [{ semaphore: { name: 'order' }, value: 10 }],
    timeoutMs: 10,
  };
  await t.rejects(client.transfer(late), { code: 'WAIT_TIMED_OUT' });
  await t.rejects(client.transfer({ ...late, wait: [{ semaphore: {} as never }] }), {
    code: 'INVALID_ARGUMENT',
    metadata: { field: 'semaphore' },
  });
  await memory.free();
  const made = await semaphores.create({ kinds: [] });
  t.equal(made.lifetime, 'LIFETIME_SESSION', 'the calls act for the session');
  await semaphores.free({ name: 'order' });
  await client.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('a handle, its owner and its tickets', { skip: noSwiftShader }, async (t) => {
  const { runtimeDir } = await startDaemon(t, { env });
  const client = await connect({ runtimeDir });
  const semaphore = await client.createSemaphore({ type: 'BINARY', name: 'order' });
  const { fd } = semaphore.fd;
  t.ok(isOpen(fd));
  const deviceUuid = semaphore.grant?.deviceUuid ?? Buffer.alloc(0);
  const peer = await SemaphorePeer.start(t, { type: 'binary', deviceUuid, env }, semaphore.fd.dup('peer'));
  await semaphore.signal();
  t.ok(await peer.wait());
  const { secret, ticket } = await semaphore.createTicket({ uses: 2 });
  t.match(ticket, { semaphoreId: semaphore.id, allocationId: '', kinds: [], access: 'ACCESS_READ_WRITE' });
  const other = await connect({ runtimeDir });
  await t.rejects(other.claim({ ticket: secret }), {
    code: 'INVALID_ARGUMENT',
    reason: /is for a semaphore/,
  });
  const claimed = await other.claimSemaphore({ ticket: secret });
  t.match(claimed, { id: semaphore.id, created: false });
  const late = await SemaphorePeer.start(t, { type: 'binary', deviceUuid, env }, claimed.fd.dup('peer'));
  await peer.signal();
  t.ok(await late.wait());
  await t.rejects(other.claimSemaphore({ name: 'order' }, { deviceUuids: [Buffer.alloc(16)] }), {
    code: 'WRONG_DEVICE',
  });
  await t.rejects(other.claimSemaphore({ name: 'order' }, { kind: 'SYNC_FD' }), {
    code: 'KIND_NOT_REQUESTED',
  });
  await t.rejects(other.claimSemaphore({ name: 'none' }), { code: 'NOT_FOUND' });
  const memory = await client.allocate({ size: 4096, kinds: ['OPAQUE_FD'] });
  const forMemory = await memory.createTicket();
  await t.rejects(other.claimSemaphore({ ticket: forMemory.secret }), {
    code: 'INVALID_ARGUMENT',
    reason: /is for an allocation/,
  });
  await memory.free();
  await claimed[Symbol.asyncDispose]();
  t.throws(() => claimed.fd, { code: 'NOT_FOUND' });
  semaphore.close();
  t.notOk(isOpen(fd), 'close() closes the fd');
  await semaphore.signal();
  t.ok(await peer.wait(), 'the semaphore stays, with its other handles');
  await semaphore.free();
  await t.rejects(other.claimSemaphore({ ticket: secret }), { code: 'TICKET_INVALID' });
  t.same(await client.control.listTickets(), [], 'its tickets end with it');
  await peer.signal();
  t.ok(await late.wait(), 'handles outlive it');
  const last = await other.createSemaphore({ type: 'BINARY' });
  const lastFd = last.fd.fd;
  await other.close();
  t.notOk(isOpen(lastFd), 'the end of the client closes the fd');
  await peer.end();
  await late.end();
  await client.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('a restart of the daemon', { skip: noSwiftShader }, async (t) => {
  const daemon = await SupervisedDaemon.start(t, { env });
  const { runtimeDir } = daemon;
  const client = await connect({ runtimeDir });
  const semaphore = await client.createSemaphore({ type: 'BINARY' });
  const { secret } = await semaphore.createTicket({ uses: 2 });
  const deviceUuid = semaphore.grant?.deviceUuid ?? Buffer.alloc(0);
  const peer = await SemaphorePeer.start(t, { type: 'binary', deviceUuid, env }, semaphore.fd.dup('peer'));
  const reconnected = new Promise((resolve) => client.once('reconnected', resolve));
  await daemon.kill();
  t.match(await reconnected, { restored: true });
  await semaphore.signal();
  t.ok(await peer.wait(), 'the object of before signals the same semaphore');
  const claimed = await client.claimSemaphore({ ticket: secret });
  t.equal(claimed.id, semaphore.id, 'a ticket of before claims it');
  claimed.close();
  // A session with nothing would not be restored.
  const stays = await client.createSemaphore({ type: 'BINARY' });
  // The daemon ends after it has freed the semaphore, and before it has answered.
  daemon.failAt('semaphore:ending');
  await semaphore.free();
  daemon.writesSucceed();
  t.match(await client.control.semaphores.list(), [{ id: stays.id }], 'a repeated free is one');
  daemon.failAt('semaphore:written');
  const again = await client.createSemaphore({ type: 'BINARY' });
  daemon.writesSucceed();
  t.match(
    await client.control.semaphores.list(),
    [{ id: stays.id }, { id: again.id }],
    'a repeated create makes one',
  );
  await again.free();
  await stays.free();
  await peer.end();
  await client.close();
  t.ok(existsSync(runtimeDir));
});
