/** Locks on one allocation, on the wire: who waits for whom, in which order, and what ends a wait. */
import { connect } from '@vkmemd/client';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import {
  claim,
  claimOf,
  finish,
  five,
  kinds,
  NAME,
  PATIENCE_MS,
  ref,
  release,
  start,
  stateOf,
  writerOf,
} from '../support/locks.js';

t.test('waiting claims are granted in order; a claim whose connection closed is skipped', async (t) => {
  const host = await start(t, 'SHARING_ONE_WRITER');
  const wires = await five(host);
  const [first, second, gone, third, reader] = wires;
  const grant = await claim(first, 'rw');
  const retried = await claim(first, 'rw');
  const { sessionId } = first.welcome;
  t.equal(await writerOf(host), sessionId);
  await t.rejects(claim(second, 'rw'), {
    code: 'BUSY',
    metadata: { writer_session_id: String(sessionId), holders: '1' },
  });
  const order: string[] = [];
  const waits: Promise<bigint>[] = [];
  for (const [name, wire] of Object.entries({ second, gone, third })) {
    const wait = claim(wire, 'rw', PATIENCE_MS);
    wait.then(
      () => order.push(name),
      () => {},
    );
    waits.push(wait);
    t.equal(await stateOf(host, wait), 'waits');
  }
  t.ok(await claim(reader, 'ro'), 'readers need not wait');
  gone.close();
  await t.rejects(waits[1] as Promise<bigint>, 'its connection closed');
  await release(first, grant);
  t.equal(
    await stateOf(host, waits[0] as Promise<bigint>),
    'waits',
    'the lock was granted twice and released once',
  );
  await release(first, retried);
  await release(second, (await waits[0]) ?? 0n);
  await release(third, (await waits[2]) ?? 0n);
  t.strictSame(order, ['second', 'third']);
  t.equal(await writerOf(host), 0n);
  await finish(host, ...wires);
});

t.test('a wait ends after wait_ms; the time and the number of waits are limited', async (t) => {
  const host = await start(t, 'SHARING_ONE_WRITER');
  const [writer, other] = [await HandoffWire.open(host.runtimeDir), await HandoffWire.open(host.runtimeDir)];
  await claim(writer, 'rw');
  const begun = performance.now();
  await t.rejects(claim(other, 'rw', 200), { code: 'BUSY' });
  t.ok(performance.now() - begun >= 199, 'it waited for the full time');
  await t.rejects(claim(other, 'rw', 3_600_001), {
    code: 'INVALID_ARGUMENT',
    metadata: { field: 'wait_ms' },
  });
  for (let i = 0; i < 16; i += 1) other.send({ claim: claimOf('rw', PATIENCE_MS) });
  await t.rejects(claim(other, 'rw', PATIENCE_MS), { code: 'UNAVAILABLE' }, 'the 17th wait of a session');
  t.ok(await claim(other, 'ro'), 'other requests of the session are served');
  await finish(host, writer, other);
});

t.test('a wait ends with the allocation and with the daemon', async (t) => {
  const host = await start(t, 'SHARING_ONE_WRITER');
  const [writer, other] = [await HandoffWire.open(host.runtimeDir), await HandoffWire.open(host.runtimeDir)];
  await claim(writer, 'rw');
  const wait = claim(other, 'rw', PATIENCE_MS);
  await stateOf(host, wait);
  await host.control.call('FreeAllocation', { allocation: ref });
  await t.rejects(wait, { code: 'NOT_FOUND' });
  await host.control.call('Allocate', { sizeBytes: 4096n, kinds, name: NAME, sharing: 'SHARING_EXCLUSIVE' });
  await claim(writer, 'ro');
  const second = claim(other, 'rw', PATIENCE_MS);
  t.equal(await stateOf(host, second), 'waits');
  const ended = host.stop();
  await t.rejects(second, { code: 'UNAVAILABLE' }, 'a stopping daemon refuses it');
  t.strictSame(await ended, { code: 0, signal: null });
});

t.test('EXCLUSIVE admits either readers or one writer', async (t) => {
  const host = await start(t, 'SHARING_EXCLUSIVE');
  const wires = await five(host);
  const [a, b, c, d] = wires;
  const reads = [await claim(a, 'ro'), await claim(b, 'ro')] as const;
  await t.rejects(claim(c, 'rw'), { code: 'BUSY', metadata: { writer_session_id: '0', holders: '2' } });
  const write = claim(c, 'rw', PATIENCE_MS);
  await stateOf(host, write);
  await t.rejects(claim(d, 'ro'), { code: 'BUSY' }, 'a new reader waits behind a waiting writer');
  const read = claim(d, 'ro', PATIENCE_MS);
  await stateOf(host, read);
  await release(a, reads[0]);
  await release(b, reads[1]);
  const grant = await write;
  t.equal(await stateOf(host, read), 'waits');
  await release(c, grant);
  await read;
  const upgrade = await claim(d, 'rw');
  t.ok(upgrade, 'the only reader may also write');
  await finish(host, ...wires);
});

t.test('transfers need the lock', async (t) => {
  const host = await start(t, 'SHARING_EXCLUSIVE');
  const writer = await HandoffWire.open(host.runtimeDir);
  const own = ControlWire.withToken(host.runtimeDir, writer.welcome.sessionToken);
  const { allocation } = await host.control.call('Allocate', { sizeBytes: 4096n, kinds, name: 'other' });
  const other = { id: allocation?.id ?? '' };
  const grant = await claim(writer, 'rw');
  const fill = { fill: { allocation: ref, pattern: 1 } };
  await t.rejects(host.control.call('Transfer', fill), { code: 'BUSY' });
  await t.rejects(host.control.call('Transfer', { copy: { source: other, destination: ref } }), {
    code: 'BUSY',
  });
  await t.rejects(host.control.call('Transfer', { copy: { source: ref, destination: other } }), {
    code: 'BUSY',
  });
  await t.resolves(own.call('Transfer', fill), 'a transfer of the session that holds the lock');
  await release(writer, grant);
  await t.resolves(host.control.call('Transfer', fill), 'a transfer while no session holds the lock');
  t.equal(await writerOf(host), 0n);
  own.close();
  await host.control.call('FreeAllocation', { allocation: other });
  await finish(host, writer);
});

t.test('only NAMED memory has a sharing mode; Allocate acquires the lock that it grants', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using other = await connect({ runtimeDir });
  await t.rejects(client.allocate({ size: 4096, sharing: 'EXCLUSIVE' }), { code: 'INVALID_ARGUMENT' });
  const memory = await client.allocate({ size: 4096, name: NAME, sharing: 'ONE_WRITER' });
  t.equal((await client.get(memory)).writerSessionId, client.session.id);
  await t.rejects(other.claim(memory), { code: 'BUSY' });
  const wait = other.claim(memory, { waitMs: PATIENCE_MS });
  await client.budget();
  await memory.release();
  const second = await wait;
  t.equal(second.allocation.writerSessionId, other.session.id);
  await second.free();
});
