/**
 * The identity of a client comes from the kernel's credentials of the peer, on both planes; the contents of
 * messages do not change it.
 */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { ANYBODY, assertCounts, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { asOtherUser, noOtherUser, OTHER_UID } from '../support/uid.js';

const kinds = ['KIND_MAPPABLE'] as const;

t.test('another user cannot access our memory or names', { skip: noOtherUser ?? false }, async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  chmodSync(runtimeDir, 0o755);
  for (const socket of ['handoff.sock', 'control.sock']) chmodSync(join(runtimeDir, socket), 0o666);
  const wire = await HandoffWire.open(runtimeDir);
  const { message } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds, name: 'mine' } });
  const id = message.allocate?.allocation?.id ?? '';
  const control = new ControlWire(runtimeDir);
  const software = (await control.call('ListDevices', {})).devices[0]?.type === 'DEVICE_TYPE_CPU';
  control.close();
  const args = [runtimeDir, id, 'mine', wire.welcome.sessionToken];
  t.strictSame(
    await asOtherUser('other-user.js', args),
    {
      opaqueFd: software ? 'NOT_PERMITTED' : 'served',
      claimById: 'NOT_PERMITTED',
      claimByName: 'NOT_PERMITTED',
      free: 'NOT_PERMITTED',
      get: 'NOT_PERMITTED',
      freeByGrpc: 'NOT_PERMITTED',
      fill: 'NOT_PERMITTED',
      token: 'SESSION_INVALID',
      listed: [OTHER_UID],
      sameNameOfOwn: OTHER_UID,
      readOnly: 'READ_ONLY_STRENGTH_ENFORCED',
      reopened: 'EACCES',
    },
    'another user has memory and names of its own',
  );
  await wire.ask({ free: { allocation: { id } } });
  wire.close();
});

t.test('a gRPC call with a session token acts for that session', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const wire = await HandoffWire.open(runtimeDir);
  const control = ControlWire.withToken(runtimeDir, wire.welcome.sessionToken);
  const { allocation } = await control.call('Allocate', { sizeBytes: 4096n, kinds });
  const { fds } = await wire.ask({ claim: { allocation: { id: allocation?.id ?? '' }, kinds } });
  await assertCounts(t, runtimeDir, { sessions: 1, allocations: 1, grants: 1, fds: 1, deviceMemories: 1 });
  for (const fd of fds) fd.close();
  const { freed } = await control.call('FreeAllocation', { allocation: { id: allocation?.id ?? '' } });
  t.equal(freed, true, "Free by gRPC releases the session's own grants, as on the handoff socket");
  await control.call('Allocate', { sizeBytes: 4096n, kinds });
  wire.close();
  await assertCounts(t, runtimeDir, {});
  control.close();
});

t.test('every incarnation and every session has secrets of its own', async (t) => {
  const [first, second] = [await startDaemon(t), await startDaemon(t)];
  const wires = [
    await HandoffWire.open(first.runtimeDir),
    await HandoffWire.open(first.runtimeDir),
    await HandoffWire.open(second.runtimeDir),
  ];
  t.equal(new Set(wires.map(({ welcome }) => welcome.sessionToken)).size, 3, 'tokens differ');
  t.equal(new Set(wires.map(({ welcome }) => welcome.incarnation)).size, 2, 'incarnations differ');
  const astray = ControlWire.withToken(second.runtimeDir, wires[0]?.welcome.sessionToken ?? '');
  await t.rejects(astray.call('Allocate', { sizeBytes: 4096n, kinds }), { code: 'STALE_INCARNATION' });
  astray.close();
  for (const wire of wires) wire.close();
});
