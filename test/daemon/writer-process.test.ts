/**
 * Locks on one allocation, with real processes: a lock ends with a Release or with the process of its
 * session, not when only the socket closes.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import t from 'tap';
import { assertCounts } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import {
  claim,
  finish,
  NAME,
  PATIENCE_MS,
  ref,
  release,
  start,
  stateOf,
  writerOf,
} from '../support/locks.js';
import { WriterProcess } from '../support/writer.js';

const pidfdsOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).includes('pidfd');
    } catch {
      return false; // closed meanwhile
    }
  }).length;

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !(await holds()); ) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

t.test('the lock of a killed writer passes to the next in line', async (t) => {
  const host = await start(t, 'SHARING_ONE_WRITER');
  const writer = await WriterProcess.start(t, host.runtimeDir, NAME);
  t.equal(await writer.send('claim rw'), 'ok');
  const wire = await HandoffWire.open(host.runtimeDir);
  const wait = claim(wire, 'rw', PATIENCE_MS);
  t.equal(await stateOf(host, wait), 'waits');
  await writer.kill();
  t.ok(await wait, 'the waiting claim is granted');
  await finish(host, wire);
});

t.test('a writer keeps its lock while it is stopped, disconnected or reconnected', async (t) => {
  const host = await start(t, 'SHARING_ONE_WRITER');
  const writer = await WriterProcess.start(t, host.runtimeDir, NAME);
  t.equal(await writer.send('claim rw'), 'ok');
  const session = await writerOf(host);
  const wire = await HandoffWire.open(host.runtimeDir);
  const wait = claim(wire, 'rw', PATIENCE_MS);
  writer.signal('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.equal(await stateOf(host, wait), 'waits', 'a stopped writer keeps the lock');
  writer.signal('SIGCONT');
  t.equal(await writer.send('hang-up'), 'ok');
  await assertCounts(t, host.runtimeDir, { sessions: 1, allocations: 1, fds: 1, deviceMemories: 1 });
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.equal(await stateOf(host, wait), 'waits', 'a writer that closed its socket and lives keeps the lock');
  t.equal(await writerOf(host), session, 'in the name of its session');
  t.equal(await writer.send('write 5'), 'ok', 'because it can still write');
  await t.rejects(host.control.call('Transfer', { fill: { allocation: ref, pattern: 1 } }), { code: 'BUSY' });

  t.equal(await writer.send('connect'), 'ok');
  t.equal(
    await writer.send('claim rw'),
    'ok',
    'a reconnected writer gets its lock again, before the waiting claims',
  );
  t.not(await writerOf(host), session);
  t.equal(await stateOf(host, wait), 'waits');
  t.equal(await writer.send('release'), 'ok');
  await release(wire, await wait);
  t.equal(await writer.send('claim rw'), 'ok');
  t.equal(await writer.send('hang-up'), 'ok');
  const second = claim(wire, 'rw', PATIENCE_MS);
  t.equal(await stateOf(host, second), 'waits');
  await writer.kill();
  t.ok(await second, "the lock passes on when the writer's process has ended");
  await finish(host, wire);
});

t.test('a kept lock stays when the claim that would replace it fails', async (t) => {
  const host = await start(t, 'SHARING_EXCLUSIVE');
  const reader = await WriterProcess.start(t, host.runtimeDir, NAME);
  t.equal(await reader.send('claim ro'), 'ok');
  t.equal(await reader.send('hang-up'), 'ok');
  const wire = await HandoffWire.open(host.runtimeDir);
  const other = await claim(wire, 'ro');
  t.equal(await reader.send('connect'), 'ok');
  t.equal(await reader.send('claim rw'), 'BUSY', 'there is another reader');
  t.equal(await reader.send('claim rw 100'), 'BUSY');
  await release(wire, other);
  await t.rejects(claim(wire, 'rw'), { code: 'BUSY' }, 'its process still has the memory mapped');
  t.equal(await reader.send('claim rw'), 'ok', 'it may write when it is the only reader');
  t.ok(await writerOf(host));
  t.equal(await reader.send('release'), 'ok');
  t.ok(await claim(wire, 'rw'), 'its release ends the lock of its earlier session too');
  await finish(host, wire);
  await reader.kill();
});

t.test(
  'a lock that is kept for a surviving process ends with the process or with the allocation',
  async (t) => {
    const host = await start(t, 'SHARING_EXCLUSIVE');
    // Its connection has a pidfd too.
    await host.control.budget();
    const before = pidfdsOf(host.pid);
    const reader = await WriterProcess.start(t, host.runtimeDir, NAME);
    t.equal(await reader.send('claim ro'), 'ok');
    await until('one pidfd', () => pidfdsOf(host.pid) === before + 1);
    t.equal(await reader.send('hang-up'), 'ok');
    await assertCounts(t, host.runtimeDir, { allocations: 1, fds: 1, deviceMemories: 1 });
    await until('the process is watched', () => pidfdsOf(host.pid) === before + 1);
    const wire = await HandoffWire.open(host.runtimeDir);
    await t.rejects(claim(wire, 'rw'), { code: 'BUSY' }, 'readers are kept by the same rules');
    t.ok(await claim(wire, 'ro'));
    wire.close();
    await until('this process is watched too', async () => {
      const { counts } = await host.control.budget();
      return counts.sessions === 0;
    });
    await host.control.call('FreeAllocation', { allocation: ref });
    await until('no pidfd', () => pidfdsOf(host.pid) === before);
    t.pass('the allocation ended');
    await reader.kill();
  },
);
