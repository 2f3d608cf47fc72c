/**
 * State that survives a daemon which is killed or restarted: allocations with their bytes, sessions of living
 * processes, and their grants; and state that does not.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { closeAll } from '@vkmemd/proto';
import t from 'tap';
import { get } from '../admin/support.js';
import { plainEnvironment, plainNode } from '../support/daemon.js';
import { openOf, SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { allocate, budget, claim, controlled, holds, kinds, list, nothingLeft } from './support.js';

const ORPHANING = fileURLToPath(new URL('programs/orphaning.js', import.meta.url));
const HOLDER = fileURLToPath(new URL('programs/holder.js', import.meta.url));

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGABRT'] as const) {
  t.test(`${signal}: NAMED and SESSION memory survive with their bytes and grants`, async (t) => {
    const daemon = await SupervisedDaemon.start(t);
    const wire = await daemon.open();
    const named = await allocate(wire, 0x11, { name: 'frames' });
    const own = await allocate(wire, 0x22);
    const before = await list(daemon);
    const sessions = async () => (await get(daemon.runtimeDir, '/api/v1/sessions')).json().sessions;
    const began = (await sessions()).map(({ id, beganAt }: { id: string; beganAt: string }) => [id, beganAt]);
    const bytes = (await budget(daemon)).heaps;
    await daemon.kill(signal);
    t.ok(holds(named, 0x11) && holds(own, 0x22), 'mappings stay while no daemon runs');
    const incarnation = await daemon.serving();
    t.not(incarnation, wire.welcome.incarnation);
    t.strictSame(await list(daemon), before, 'the allocations are unchanged');
    t.match(
      (await sessions()).map(({ id, beganAt }: { id: string; beganAt: string }) => [id, beganAt]),
      began,
      'and so are the sessions, with the times when they began',
    );
    t.strictSame(
      (await budget(daemon)).heaps.map(({ liveBytes }) => liveBytes),
      bytes.map(({ liveBytes }) => liveBytes),
    );
    const token = wire.welcome.sessionToken;
    const reconnected = await daemon.open({ token, grantIds: [named.grantId, own.grantId] });
    t.match(reconnected.welcome, { restored: true, sessionId: wire.welcome.sessionId, incarnation });
    const third = await claim(reconnected, { name: 'frames' });
    t.ok(holds(third, 0x11), 'a claim has the bytes');
    t.ok(third.grantId > own.grantId, 'its id was never used');
    for (const { grantId, fd } of [named, own, third]) {
      await reconnected.ask({ release: { grantId } });
      fd.close();
    }
    await reconnected.ask({ free: { allocation: { id: named.id } } });
    reconnected.close();
    wire.close();
    await nothingLeft(t, daemon);
  });
}

t.test('a process that ends while no daemon runs ends its session', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const holder = spawn(...plainNode([HOLDER, daemon.runtimeDir]), {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  t.equal((await list(daemon)).length, 2);
  const pid = await until('a daemon', () => daemon.pid);
  // No daemon may run when the holder ends.
  process.kill(daemon.supervisor, 'SIGSTOP');
  process.kill(pid, 'SIGKILL');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  process.kill(daemon.supervisor, 'SIGCONT');
  await daemon.gone(pid);
  await daemon.serving();
  t.strictSame(
    (await list(daemon)).map(({ name }) => name),
    ['stays'],
    'NAMED memory stays',
  );
  await controlled(daemon, (control) => control.call('FreeAllocation', { allocation: { name: 'stays' } }));
  await nothingLeft(t, daemon);
});

t.test('a client that does not return, and one that returns with fewer grants', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  const own = await allocate(wire, 0x33);
  const other = await allocate(wire, 0x44);
  const token = wire.welcome.sessionToken;
  await daemon.kill();
  await daemon.serving();
  const unlisted = await daemon.open({ token: `${token.slice(0, -1)}!`, grantIds: [] });
  t.match(unlisted.welcome, { restored: false }, 'a wrong token');
  t.equal((await budget(daemon)).counts?.sessions, 2, 'the session waits for its client');
  const reconnected = await daemon.open({ token, grantIds: [other.grantId] });
  t.equal(reconnected.welcome.restored, true);
  t.equal((await budget(daemon)).counts?.grants, 1, 'the grant that the client no longer has is dropped');
  const second = await daemon.open({ token, grantIds: [] });
  t.equal(second.welcome.restored, false, 'a session has one connection');
  await t.rejects(reconnected.ask({ release: { grantId: own.grantId } }), { code: 'NOT_FOUND' });
  for (const { fd } of [own, other]) fd.close();
  for (const connection of [unlisted, reconnected, second, wire]) connection.close();
  await nothingLeft(t, daemon);
});

t.test('a repeated request with an id gets the same answer', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  const first = await allocate(wire, 0x55, { requestId: 'one' });
  const same = await allocate(wire, 0x56, { requestId: 'one' });
  t.equal(same.id, first.id, 'before a restart');
  await daemon.kill();
  await daemon.serving();
  const reconnected = await daemon.open({ token: wire.welcome.sessionToken, grantIds: [] });
  const third = await allocate(reconnected, 0x57, { requestId: 'one' });
  t.equal(third.id, first.id, 'and after it');
  t.equal((await list(daemon)).length, 1);
  const another = await allocate(reconnected, 0x58, { requestId: 'two' });
  t.not(another.id, first.id);
  await reconnected.ask({ free: { allocation: { id: first.id } } });
  const fourth = await allocate(reconnected, 0x59, { requestId: 'one' });
  t.not(fourth.id, first.id, 'after a free a new allocation is made');
  const long = reconnected.ask({ allocate: { sizeBytes: 1n, kinds, requestId: 'x'.repeat(65) } });
  await t.rejects(long, { code: 'INVALID_ARGUMENT' });
  for (const { fd } of [first, same, third, another, fourth]) fd.close();
  reconnected.close();
  wire.close();
  await nothingLeft(t, daemon);
});

t.test('draining memory still drains after a restart', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  const held = await allocate(wire, 0x66, { name: 'drains' });
  const fd = held.fd.dup('kept on');
  await wire.ask({ free: { allocation: { id: held.id } } });
  held.fd.close();
  t.equal((await budget(daemon)).counts?.drainingAllocations, 1);
  await daemon.kill();
  await daemon.serving();
  const { counts, heaps } = await budget(daemon);
  t.match(counts, { drainingAllocations: 1, allocations: 0 });
  const draining = heaps.reduce((sum, heap) => sum + heap.drainingBytes, 0n);
  t.equal(draining, 8192n, 'its bytes are not available');
  fd.close();
  wire.close();
  await nothingLeft(t, daemon);
});

t.test('draining memory does not keep its name from a later allocation', async (t) => {
  const kept = await SupervisedDaemon.start(t);
  const wire = await kept.open();
  const first = await allocate(wire, 0x66, { name: 'same' });
  await wire.ask({ free: { allocation: { id: first.id } } });
  const second = await allocate(wire, 0x67, { name: 'same' });
  await kept.kill();
  await kept.serving();
  t.match((await budget(kept)).counts, { drainingAllocations: 1, allocations: 1 });
  const again = await kept.open();
  const claimed = await claim(again, { name: 'same' });
  t.equal(claimed.id, second.id);
  for (const { fd } of [claimed, second, first]) fd.close();
  await until('the draining allocation', async () =>
    (await budget(kept)).counts?.drainingAllocations === 0 ? true : undefined,
  );
  const later = await claim(again, { name: 'same' });
  t.equal(later.id, second.id, 'the name belongs to the later allocation');
  later.fd.close();
  t.match((await again.ask({ free: { allocation: { name: 'same' } } })).message.free, { freed: true });
  wire.close();
  again.close();
  await nothingLeft(t, kept);
});

t.test('draining memory is recorded while the daemon stops', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  const held = await allocate(wire, 0x67);
  const fd = held.fd.dup('kept on');
  await wire.ask({ free: { allocation: { id: held.id } } });
  held.fd.close();
  const pid = await until('a daemon', () => daemon.pid);
  // The daemon waits for its supervisor when it ends.
  process.kill(daemon.supervisor, 'SIGSTOP');
  process.kill(pid, 'SIGTERM');
  await until('a daemon that closed its memfds', () => (openOf(pid).memory === 0 ? true : undefined));
  // Longer than the longest polling interval.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  process.kill(daemon.supervisor, 'SIGCONT');
  await daemon.gone(pid);
  await daemon.serving();
  t.match((await budget(daemon)).counts, { drainingAllocations: 1, allocations: 0 });
  fd.close();
  wire.close();
  await nothingLeft(t, daemon);
});

t.test('bytes are not available while the supervisor holds them', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  const [first, second] = [await allocate(wire, 0x68), await allocate(wire, 0x69)];
  first.fd.close();
  second.fd.close();
  process.kill(daemon.supervisor, 'SIGSTOP');
  for (const { id } of [first, second]) wire.send({ free: { allocation: { id } } });
  for (const { message } of [await wire.next(), await wire.next()]) {
    t.match(message.free, { freed: false, allocation: { state: 'ALLOCATION_STATE_DRAINING' } });
  }
  t.match((await budget(daemon)).counts, { drainingAllocations: 2, allocations: 0 });
  process.kill(daemon.supervisor, 'SIGCONT');
  await until('bytes that are free', async () =>
    (await budget(daemon)).counts?.drainingAllocations === 0 ? true : undefined,
  );
  const third = await allocate(wire, 0x6a);
  third.fd.close();
  const { message } = await wire.ask({ free: { allocation: { id: third.id } } });
  t.match(message.free, { freed: true, allocation: { state: 'ALLOCATION_STATE_FREED' } });
  t.equal(daemon.storedFds.memory, 0, 'and once the answer is sent, the supervisor holds nothing');
  wire.close();
  await nothingLeft(t, daemon);
});

t.test('the write lock survives the daemon', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const writer = await daemon.open();
  const held = await allocate(writer, 0x77, { name: 'one', sharing: 'SHARING_EXCLUSIVE' } as object);
  await daemon.kill();
  await daemon.serving();
  const other = await daemon.open();
  const wanted = { claim: { allocation: { name: 'one' }, kinds } };
  await t.rejects(other.ask(wanted), { code: 'BUSY' }, 'of a session without a connection');
  const reconnected = await daemon.open({ token: writer.welcome.sessionToken, grantIds: [held.grantId] });
  await t.rejects(other.ask(wanted), { code: 'BUSY' }, 'of a session that has reconnected');
  await reconnected.ask({ release: { grantId: held.grantId } });
  held.fd.close();
  const orphaned = spawn(...plainNode([ORPHANING, daemon.runtimeDir, 'one']), {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(orphaned.stdout, 'data');
  await until('its end', async () => ((await budget(daemon)).counts?.sessions === 2 ? true : undefined));
  await daemon.kill();
  await daemon.serving();
  const third = await daemon.open();
  await t.rejects(third.ask(wanted), { code: 'BUSY' }, 'of a session that ended while its process lives');
  orphaned.kill('SIGKILL');
  const { fds } = await third.ask({ claim: { ...wanted.claim, waitMs: 60_000 } });
  t.equal(fds.length, 1, 'until the process ends');
  closeAll(fds);
  await controlled(daemon, (control) => control.call('FreeAllocation', { allocation: { name: 'one' } }));
  for (const connection of [writer, reconnected, other, third]) connection.close();
  await nothingLeft(t, daemon);
});
