/** How memory and clients end: by scope, by a call, by a second call, and after the end of the daemon. */
import { connect, connectControl } from '@vkmemd/client';
import t from 'tap';
import { assertCounts, assertNoLeaks, startDaemon } from '../support/daemon.js';
import { connected, MIB } from './support.js';

t.test('await using frees SESSION memory and closes the client', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  {
    await using client = await connect({ runtimeDir });
    {
      await using memory = await client.allocate({ size: MIB });
      await using named = await client.allocate({ size: MIB, name: 'stays' });
      await using map = named.map();
      map.bytes[0] = 1;
      t.equal((await client.list()).length, 2);
      t.equal(memory.released, false);
    }
    t.same(
      (await client.list()).map(({ name, grants }) => [name, grants]),
      [['stays', 0]],
      'NAMED memory stays, without grants',
    );
    {
      await using retried = await client.claim({ name: 'stays' });
      t.equal(retried.map().bytes[0], 1);
      await retried.free();
    }
    {
      await using freedByOther = await client.allocate({ size: MIB });
      await client.free(freedByOther);
    }
    t.same(await client.list(), []);
  }
  await assertNoLeaks(t, runtimeDir);
});

t.test('release() and free() may be called repeatedly', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const memory = await client.allocate({ size: MIB, name: 'twice' });
  await Promise.all([memory.release(), memory.release()]);
  await memory.release();
  t.equal((await client.get(memory)).grants, 0, 'the grants are released');
  const [first, second] = await Promise.all([memory.free(), memory.free()]);
  t.equal(first, second, 'free() after release() frees, once');
  t.equal(first.freed, true);
  t.equal(first.allocation?.state, 'ALLOCATION_STATE_FREED', 'no grant was left');
  await memory.release();

  const owned = await client.allocate({ size: MIB });
  const claimed = await client.claim(owned);
  await owned.free();
  t.equal((await client.budget()).counts.drainingAllocations, 1, 'the claim still holds it');
  await claimed.release();
  await t.rejects(claimed.free(), { code: 'NOT_FOUND' }, 'it is already freed');
  await assertCounts(t, runtimeDir, { sessions: 1 });
  const released = await client.allocate({ size: MIB });
  await released.release();
  t.equal((await client.list()).length, 1, 'released SESSION memory lasts as long as the session');
});

t.test('close() ends pending requests, mappings and memory', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const memory = await client.allocate({ size: MIB });
  const copy = memory.fd('MAPPABLE');
  const pending = client.allocate({ size: MIB });
  const refused = t.rejects(pending, { code: 'UNAVAILABLE' }, 'a pending request');
  await Promise.all([client.close(), client.close()]);
  await refused;
  await client.closed;
  await t.rejects(client.allocate({ size: MIB }), { code: 'UNAVAILABLE' });
  await t.rejects(client.claim({ name: 'x' }), { code: 'UNAVAILABLE' });
  await t.rejects(client.free({ name: 'x' }), { code: 'UNAVAILABLE' });
  await t.rejects(client.list(), { code: 'UNAVAILABLE' });
  await t.rejects(client.budget(), { code: 'UNAVAILABLE' });
  await memory.release();
  t.equal(copy.open, true, 'an fd that fd() returned belongs to the caller');
  copy.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('after the daemon is killed, requests fail and mappings stay', async (t) => {
  const daemon = await startDaemon(t, { unchecked: true });
  const client = await connected(t, daemon.runtimeDir, { reconnectMs: 0 });
  const memory = await client.allocate({ size: MIB, name: 'left' });
  const { bytes } = memory.map();
  bytes[0] = 1;
  await client.budget();
  const pending = Array.from({ length: 100 }, () => client.allocate({ size: MIB }));
  const call = client.transfer({ fill: { to: memory, pattern: 1 } });
  const ended = Promise.allSettled([...pending, call]);
  await daemon.stop('SIGKILL');
  await client.closed;
  for (const outcome of await ended) {
    if (outcome.status === 'rejected') t.equal(outcome.reason.code, 'UNAVAILABLE');
  }
  const cut = (await ended).filter(({ status }) => status === 'rejected').length;
  t.ok(cut > 0, `${cut} of 101 requests were interrupted`);
  await t.rejects(client.allocate({ size: MIB }), { code: 'UNAVAILABLE' }, 'a later request');
  await t.rejects(client.devices(), { code: 'UNAVAILABLE' }, 'a later call');
  bytes[1] = 2;
  t.same([bytes[1], memory.map().length], [2, MIB], 'mapped memory stays valid');
  await t.rejects(memory.free(), { code: 'UNAVAILABLE' }, 'no daemon can free it');
  await client.close();
  t.equal(bytes.length, 0);
});

t.test('a client that holds memory notices that the daemon stopped', async (t) => {
  const daemon = await startDaemon(t, { unchecked: true });
  const client = await connected(t, daemon.runtimeDir, { reconnectMs: 0 });
  await client.allocate({ size: MIB });
  t.same(await daemon.stop(), { code: 0, signal: null });
  await client.closed;
  await t.rejects(client.allocate({ size: MIB }), { code: 'UNAVAILABLE', reason: 'The daemon is stopping.' });
});

t.test('connect() without a daemon fails with UNAVAILABLE', async (t) => {
  const { runtimeDir, stop } = await startDaemon(t);
  await stop();
  await t.rejects(connect({ runtimeDir }), { code: 'UNAVAILABLE' });
  await t.rejects(connect({ handoffSocket: `/tmp/${'x'.repeat(200)}` }), { code: 'INVALID_ARGUMENT' });
  await using control = connectControl({ runtimeDir });
  await t.rejects(control.budget(), { code: 'UNAVAILABLE' });
});

t.test('many concurrent requests each get their own answer', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const all = await Promise.all(
    Array.from({ length: 300 }, (_, at) => client.allocate({ size: 4096 * (1 + (at % 3)) })),
  );
  t.same(
    all.map(({ size }) => size),
    all.map((_, at) => 4096n * BigInt(1 + (at % 3))),
    'each answer matches its request',
  );
  await assertCounts(t, runtimeDir, {
    sessions: 1,
    allocations: 300,
    grants: 300,
    fds: 300,
    deviceMemories: 300,
  });
  await Promise.all(all.map((memory) => memory.free()));
});
