/** GetStatus: on the handoff socket, before Hello too, and on the control socket. */
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { ANYBODY, assertNoLeaks, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

const kinds = ['KIND_MAPPABLE'] as const;

const statusOf = async (wire: HandoffWire) => (await wire.ask({ getStatus: {} })).message.getStatus;

t.test('the status on both sockets, with and without a session', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const control = new ControlWire(runtimeDir);
  await control.budget(); // the daemon is ready before its front is
  const silent = new HandoffWire(runtimeDir);
  const nothing = await statusOf(silent);
  t.match(nothing, {
    ready: true,
    reasons: [],
    warnings: [],
    front: { present: true, restarts: 0 },
    counts: { sessions: 0, allocations: 0, grants: 0, fds: 0 },
    daemonVersion: /^\d+\.\d+\.\d+$/,
  });
  const [since, started] = [nothing?.front?.since?.seconds ?? 0n, nothing?.startedAt?.seconds ?? 0n];
  t.ok(started > 0n && since >= started, 'the front is present since a moment after the start');
  const wire = await HandoffWire.open(runtimeDir);
  t.equal(nothing?.incarnation, wire.welcome.incarnation);
  const { fds } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds, grantKinds: kinds } });
  for (const fd of fds) fd.close();
  const some = await statusOf(wire);
  t.match(some?.counts, { sessions: 1, allocations: 1, grants: 1, fds: 1, deviceMemories: 1 });
  t.strictSame(await control.call('GetStatus', {}), some, 'the control socket reports the same');
  t.strictSame((await control.budget()).counts, some?.counts, 'GetBudget has the same counts');
  silent.close();
  const later = new HandoffWire(runtimeDir);
  t.strictSame(await statusOf(later), some);
  t.strictSame(await statusOf(later), some, 'a connection can ask again');
  await later.ask({ hello: { protocolVersion: 1 } });
  t.match((await statusOf(later))?.counts, { sessions: 2 }, 'Hello may follow');
  later.close();
  wire.close();
  control.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('a policy that could not be read is a warning, with the time', async (t) => {
  const { runtimeDir, config } = await startDaemon(t, { policy: ANYBODY });
  const control = new ControlWire(runtimeDir);
  writeFileSync(config, 'nonsense = 1\n');
  await t.rejects(control.call('ReloadPolicy', {}), { code: 'POLICY_INVALID' });
  const { ready, warnings, startedAt } = await control.call('GetStatus', {});
  t.match([ready, warnings], [true, [{ code: 'POLICY_INVALID', message: /nonsense/, next: /./ }]]);
  const [since, started] = [warnings[0]?.since?.seconds ?? 0n, startedAt?.seconds ?? 0n];
  t.ok(started > 0n && since >= started, 'it is later than the start');
  writeFileSync(config, ANYBODY);
  await control.call('ReloadPolicy', {});
  t.strictSame((await control.call('GetStatus', {})).warnings, [], 'until the policy was read');
  control.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('a peer that may not connect gets no status', async (t) => {
  const { runtimeDir, config } = await startDaemon(t, { unchecked: true });
  const control = new ControlWire(runtimeDir);
  await control.budget(); // Without Hello the connection lasts 5 s, which a front may need to start.
  const wire = new HandoffWire(runtimeDir);
  await statusOf(wire);
  writeFileSync(config, `[[rule]]\nuid = ${process.getuid?.()}\noperator = true\nconnect = false\n`);
  await control.call('ReloadPolicy', {}).catch(() => undefined);
  await t.rejects(statusOf(wire), { code: 'NOT_PERMITTED' });
  await t.rejects(control.call('GetStatus', {}), { code: 'NOT_PERMITTED' });
  wire.close();
  control.close();
});
