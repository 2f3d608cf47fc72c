/**
 * The control socket through the client: with and without a session, and the device and budget that it
 * reports.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectControl, uuidText } from '@vkmemd/client';
import t from 'tap';
import { ANYBODY, assertCounts, assertNoLeaks, startDaemon, temporaryFolder } from '../support/daemon.js';
import { connected, MIB, runProgram } from './support.js';

t.test('a control client works without a session', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using control = connectControl({ runtimeDir });
  const made = await control.allocate({
    size: MIB,
    name: 'made-by-control',
  });
  t.equal(made.sizeBytes, BigInt(MIB));
  t.equal(made.lifetime, 'LIFETIME_NAMED');
  t.same((await control.get({ name: 'made-by-control' })).id, made.id);
  await assertCounts(t, runtimeDir, { allocations: 1, fds: 1, deviceMemories: 1 });
  const client = await connected(t, runtimeDir);
  await using memory = await client.claim({ id: made.id });
  const { sizeBytes } = await control.transfer({ fill: { to: made, pattern: 0x04030201, size: 8 } });
  t.equal(sizeBytes, 8n);
  t.same([...memory.map({ length: 9 }).bytes], [1, 2, 3, 4, 1, 2, 3, 4, 0]);
  await memory.release();
  t.equal((await control.free({ name: 'made-by-control' })).freed, true);
  await control.close();
  await t.rejects(control.list(), { code: 'UNAVAILABLE', reason: 'The client was closed.' });
});

t.test('the control socket reports devices and budget', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const { devices, daemonVersion, incarnation } = await client.devices();
  t.equal(devices.length, 1);
  t.match(devices[0]?.driverName, /llvmpipe/i);
  t.match(
    uuidText(devices[0]?.deviceUuid ?? new Uint8Array()),
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  );
  t.equal(daemonVersion, client.session.daemonVersion);
  t.equal(incarnation, client.session.incarnation);

  const before = await client.budget();
  t.same(before.counts.sessions, 1);
  const memory = await client.allocate({ size: MIB });
  const during = await client.budget();
  const heap = memory.allocation.heapIndex;
  t.equal(during.heaps[heap]?.liveBytes, BigInt(MIB));
  t.equal(during.counts.allocations, 1);
  await memory.free();
  t.equal((await client.budget()).heaps[heap]?.liveBytes, 0n);
});

t.test('a program that never closes its clients exits when they are no longer used', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const { code, stdout, stderr } = await runProgram('control-worker.js', [runtimeDir]);
  t.same({ code, stderr }, { code: 0, stderr: '' }, 'an idle gRPC channel does not keep the process alive');
  t.equal(stdout, '0');
});

t.test('a user whom the policy does not let connect gets the reason', async (t) => {
  const policy = '[[rule]]\nuid = 0\nconnect = false\noperator = false\n';
  const { runtimeDir, config, pid, log } = await startDaemon(t, { policy });
  await using control = connectControl({ runtimeDir, timeoutMs: 30_000 });
  await t.rejects(control.list(), { code: 'NOT_PERMITTED', message: /policy/ });
  const watch = control.watchBudget();
  await t.rejects(watch.next(), { code: 'NOT_PERMITTED' });
  const controlSocket = join(temporaryFolder(t), 'another.sock');
  await using another = connectControl({ runtimeDir, controlSocket, timeoutMs: 500 });
  await t.rejects(
    another.list(),
    { code: 'UNAVAILABLE' },
    "another daemon's socket has nothing to do with it",
  );
  writeFileSync(config, ANYBODY);
  process.kill(pid, 'SIGHUP');
  while (!log().includes('the policy was reloaded')) await new Promise((resolve) => setTimeout(resolve, 10));
  await using later = connectControl({ runtimeDir });
  t.strictSame(await later.list(), [], 'once the policy does');
  await assertNoLeaks(t, runtimeDir);
});
