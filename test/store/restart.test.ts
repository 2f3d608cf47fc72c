/**
 * What outlives a daemon that is killed, or restarted: allocations with their bytes, sessions of processes that live, and
 * their grants; and what does not.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { closeAll } from '@vkmemd/proto';
import t from 'tap';
import { plainEnvironment, plainNode } from '../support/daemon.js';
import { Kept, openOf, until } from '../support/kept.js';
import { allocate, budget, claim, controlled, holds, kinds, list, nothingLeft } from './support.js';

const DEPARTED = fileURLToPath(new URL('programs/departed.js', import.meta.url));
const HOLDER = fileURLToPath(new URL('programs/holder.js', import.meta.url));

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGABRT'] as const) {
  t.test(`${signal}: NAMED and SESSION memory, its bytes, its grants`, async (t) => {
    const kept = await Kept.start(t);
    const wire = await kept.open();
    const named = await allocate(wire, 0x11, { name: 'frames' });
    const own = await allocate(wire, 0x22);
    const before = await list(kept);
    const bytes = (await budget(kept)).heaps;
    await kept.kill(signal);
    t.ok(holds(named, 0x11) && holds(own, 0x22), 'what is mapped stays while there is no daemon');
    const incarnation = await kept.serving();
    t.not(incarnation, wire.welcome.incarnation);
    t.strictSame(await list(kept), before, 'the allocations are what they were');
    t.strictSame(
      (await budget(kept)).heaps.map(({ liveBytes }) => liveBytes),
      bytes.map(({ liveBytes }) => liveBytes),
    );
    const token = wire.welcome.sessionToken;
    const again = await kept.open({ token, grantIds: [named.grantId, own.grantId] });
    t.match(again.welcome, { restored: true, sessionId: wire.welcome.sessionId, incarnation });
    const third = await claim(again, { name: 'frames' });
    t.ok(holds(third, 0x11), 'what is claimed has the bytes');
    t.ok(third.grantId > own.grantId, 'under an id that was never used');
    for (const { grantId, fd } of [named, own, third]) {
      await again.ask({ release: { grantId } });
      fd.close();
    }
    await again.ask({ free: { allocation: { id: named.id } } });
    again.close();
    wire.close();
    await nothingLeft(t, kept);
  });
}

t.test('a process that ends while there is no daemon takes its session with it', async (t) => {
  const kept = await Kept.start(t);
  const holder = spawn(...plainNode([HOLDER, kept.runtimeDir]), {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  t.equal((await list(kept)).length, 2);
  const pid = await until('a daemon', () => kept.pid);
  // So that there is none when the holder ends.
  process.kill(kept.keeper, 'SIGSTOP');
  process.kill(pid, 'SIGKILL');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  process.kill(kept.keeper, 'SIGCONT');
  await kept.gone(pid);
  await kept.serving();
  t.strictSame(
    (await list(kept)).map(({ name }) => name),
    ['stays'],
    'NAMED memory stays',
  );
  await controlled(kept, (control) => control.call('FreeAllocation', { allocation: { name: 'stays' } }));
  await nothingLeft(t, kept);
});

t.test('who does not come back, and who comes with less', async (t) => {
  const kept = await Kept.start(t);
  const wire = await kept.open();
  const own = await allocate(wire, 0x33);
  const other = await allocate(wire, 0x44);
  const token = wire.welcome.sessionToken;
  await kept.kill();
  await kept.serving();
  const stranger = await kept.open({ token: `${token.slice(0, -1)}!`, grantIds: [] });
  t.match(stranger.welcome, { restored: false }, 'another token');
  t.equal((await budget(kept)).counts?.sessions, 2, 'the session sleeps');
  const again = await kept.open({ token, grantIds: [other.grantId] });
  t.equal(again.welcome.restored, true);
  t.equal((await budget(kept)).counts?.grants, 1, 'the grant that it does not have is taken back');
  const second = await kept.open({ token, grantIds: [] });
  t.equal(second.welcome.restored, false, 'a session has one connection');
  await t.rejects(again.ask({ release: { grantId: own.grantId } }), { code: 'NOT_FOUND' });
  for (const { fd } of [own, other]) fd.close();
  for (const connection of [stranger, again, second, wire]) connection.close();
  await nothingLeft(t, kept);
});

t.test('a request with an id is answered again', async (t) => {
  const kept = await Kept.start(t);
  const wire = await kept.open();
  const first = await allocate(wire, 0x55, { requestId: 'one' });
  const same = await allocate(wire, 0x56, { requestId: 'one' });
  t.equal(same.id, first.id, 'before a restart');
  await kept.kill();
  await kept.serving();
  const again = await kept.open({ token: wire.welcome.sessionToken, grantIds: [] });
  const third = await allocate(again, 0x57, { requestId: 'one' });
  t.equal(third.id, first.id, 'and after');
  t.equal((await list(kept)).length, 1);
  const another = await allocate(again, 0x58, { requestId: 'two' });
  t.not(another.id, first.id);
  await again.ask({ free: { allocation: { id: first.id } } });
  const fourth = await allocate(again, 0x59, { requestId: 'one' });
  t.not(fourth.id, first.id, 'once it is freed, it is asked anew');
  const long = again.ask({ allocate: { sizeBytes: 1n, kinds, requestId: 'x'.repeat(65) } });
  await t.rejects(long, { code: 'INVALID_ARGUMENT' });
  for (const { fd } of [first, same, third, another, fourth]) fd.close();
  again.close();
  wire.close();
  await nothingLeft(t, kept);
});

t.test('what drains goes on draining', async (t) => {
  const kept = await Kept.start(t);
  const wire = await kept.open();
  const held = await allocate(wire, 0x66, { name: 'drains' });
  const fd = held.fd.dup('kept on');
  await wire.ask({ free: { allocation: { id: held.id } } });
  held.fd.close();
  t.equal((await budget(kept)).counts?.drainingAllocations, 1);
  await kept.kill();
  await kept.serving();
  const { counts, heaps } = await budget(kept);
  t.match(counts, { drainingAllocations: 1, allocations: 0 });
  const draining = heaps.reduce((sum, heap) => sum + heap.drainingBytes, 0n);
  t.equal(draining, 8192n, 'its bytes are not free');
  fd.close();
  wire.close();
  await nothingLeft(t, kept);
});

t.test('what drains is not forgotten while the daemon stops', async (t) => {
  const kept = await Kept.start(t);
  const wire = await kept.open();
  const held = await allocate(wire, 0x67);
  const fd = held.fd.dup('kept on');
  await wire.ask({ free: { allocation: { id: held.id } } });
  held.fd.close();
  const pid = await until('a daemon', () => kept.pid);
  // The daemon waits for it at its end.
  process.kill(kept.keeper, 'SIGSTOP');
  process.kill(pid, 'SIGTERM');
  await until('a daemon that let go of its memfds', () => (openOf(pid).memory === 0 ? true : undefined));
  // Longer than the longest wait from look to look.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  process.kill(kept.keeper, 'SIGCONT');
  await kept.gone(pid);
  await kept.serving();
  t.match((await budget(kept)).counts, { drainingAllocations: 1, allocations: 0 });
  fd.close();
  wire.close();
  await nothingLeft(t, kept);
});

t.test('bytes are not free while the keeper has them', async (t) => {
  const kept = await Kept.start(t);
  const wire = await kept.open();
  const [first, second] = [await allocate(wire, 0x68), await allocate(wire, 0x69)];
  first.fd.close();
  second.fd.close();
  process.kill(kept.keeper, 'SIGSTOP');
  for (const { id } of [first, second]) wire.send({ free: { allocation: { id } } });
  for (const { message } of [await wire.next(), await wire.next()]) {
    t.match(message.free, { freed: false, allocation: { state: 'ALLOCATION_STATE_DRAINING' } });
  }
  t.match((await budget(kept)).counts, { drainingAllocations: 2, allocations: 0 });
  process.kill(kept.keeper, 'SIGCONT');
  await until('bytes that are free', async () =>
    (await budget(kept)).counts?.drainingAllocations === 0 ? true : undefined,
  );
  const third = await allocate(wire, 0x6a);
  third.fd.close();
  const { message } = await wire.ask({ free: { allocation: { id: third.id } } });
  t.match(message.free, { freed: true, allocation: { state: 'ALLOCATION_STATE_FREED' } });
  t.equal(kept.keptFds.memory, 0, 'and when the answer is there, the keeper has nothing');
  wire.close();
  await nothingLeft(t, kept);
});

t.test('the right to write outlives the daemon', async (t) => {
  const kept = await Kept.start(t);
  const writer = await kept.open();
  const held = await allocate(writer, 0x77, { name: 'one', sharing: 'SHARING_EXCLUSIVE' } as object);
  await kept.kill();
  await kept.serving();
  const other = await kept.open();
  const wanted = { claim: { allocation: { name: 'one' }, kinds } };
  await t.rejects(other.ask(wanted), { code: 'BUSY' }, 'of a session that sleeps');
  const again = await kept.open({ token: writer.welcome.sessionToken, grantIds: [held.grantId] });
  await t.rejects(other.ask(wanted), { code: 'BUSY' }, 'and of one that came back');
  await again.ask({ release: { grantId: held.grantId } });
  held.fd.close();
  const departed = spawn(...plainNode([DEPARTED, kept.runtimeDir, 'one']), {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(departed.stdout, 'data');
  await until('its end', async () => ((await budget(kept)).counts?.sessions === 2 ? true : undefined));
  await kept.kill();
  await kept.serving();
  const third = await kept.open();
  await t.rejects(third.ask(wanted), { code: 'BUSY' }, 'and of one that ended, while its process lives');
  departed.kill('SIGKILL');
  const { fds } = await third.ask({ claim: { ...wanted.claim, waitMs: 60_000 } });
  t.equal(fds.length, 1, 'until that ends');
  closeAll(fds);
  await controlled(kept, (control) => control.call('FreeAllocation', { allocation: { name: 'one' } }));
  for (const connection of [writer, again, other, third]) connection.close();
  await nothingLeft(t, kept);
});
