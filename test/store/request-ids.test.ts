/**
 * Requests with an id, after more than one restart: a repeated request of the same session gets the first
 * one's answer; a request of another session never does, whatever its session id and process.
 */
import t from 'tap';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { allocate, budget, controlled, list, nothingLeft, rewritten } from './support.js';

const requestId = '1';

async function restart(daemon: SupervisedDaemon): Promise<void> {
  await daemon.kill();
  await daemon.serving();
}

t.test('the id of a session that has records is not reused', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const alice = await daemon.open();
  const hers = await allocate(alice, 0x11, { name: 'hers', requestId });
  await alice.ask({ release: { grantId: hers.grantId } });
  hers.fd.close();
  alice.close();
  await until('her end', async () => ((await budget(daemon)).counts?.sessions === 0 ? true : undefined));
  await restart(daemon);
  const bob = await daemon.open();
  t.not(bob.welcome.sessionId, alice.welcome.sessionId);
  const kindOf = await allocate(bob, 0x22, { requestId: 'another' });
  await restart(daemon);
  const reconnected = await daemon.open({ token: bob.welcome.sessionToken, grantIds: [kindOf.grantId] });
  t.match(reconnected.welcome, { restored: true, sessionId: bob.welcome.sessionId });
  const his = await allocate(reconnected, 0x33, { requestId });
  t.not(his.id, hers.id, 'the request allocates memory of its own');
  for (const { fd } of [kindOf, his]) fd.close();
  await reconnected.ask({ free: { allocation: { name: 'hers' } } });
  reconnected.close();
  bob.close();
  await nothingLeft(t, daemon);
});

t.test('the records of another user are not used', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  const first = await allocate(wire, 0x44, { name: 'first', requestId });
  const uid = process.getuid?.() ?? 0;
  const give = (to: number) =>
    rewritten(daemon, ({ allocations }) => {
      for (const record of allocations.all.filter(({ id }) => id === first.id)) {
        allocations.put(first.id, { ...record, tenant: `uid:${to}` });
      }
    });
  await give(uid + 1);
  const reconnected = await daemon.open({ token: wire.welcome.sessionToken, grantIds: [] });
  const second = await allocate(reconnected, 0x55, { requestId });
  t.not(second.id, first.id);
  await give(uid);
  await controlled(daemon, (control) => control.call('FreeAllocation', { allocation: { id: first.id } }));
  for (const { fd } of [first, second]) fd.close();
  const last = await daemon.open({ token: wire.welcome.sessionToken, grantIds: [] });
  last.close();
  reconnected.close();
  wire.close();
  await nothingLeft(t, daemon);
});

t.test('a repeated request whose first allocation drains', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  const drains = await allocate(wire, 0x66, { requestId });
  const held = drains.fd.dup('kept on');
  await wire.ask({ free: { allocation: { id: drains.id } } });
  drains.fd.close();
  const made = await allocate(wire, 0x77, { requestId });
  t.not(made.id, drains.id);
  await restart(daemon);
  const reconnected = await daemon.open({ token: wire.welcome.sessionToken, grantIds: [made.grantId] });
  const same = await allocate(reconnected, 0x88, { requestId });
  t.equal(same.id, made.id, 'is answered with the existing allocation');
  t.equal((await list(daemon)).filter(({ state }) => state === 'ALLOCATION_STATE_LIVE').length, 1);
  held.close();
  for (const { fd } of [made, same]) fd.close();
  reconnected.close();
  wire.close();
  await nothingLeft(t, daemon);
});
