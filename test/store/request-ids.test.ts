/**
 * Requests with an id, after more than one restart: what one made is the answer to the same request of the same session,
 * and of no other session, whatever its id and its process.
 */
import t from 'tap';
import { Kept, until } from '../support/kept.js';
import { allocate, budget, controlled, list, nothingLeft, rewritten } from './support.js';

const requestId = '1';

async function restart(kept: Kept): Promise<void> {
  await kept.kill();
  await kept.serving();
}

t.test('the id of a session that something is written down of is given to no other', async (t) => {
  const kept = await Kept.start(t);
  const alice = await kept.open();
  const hers = await allocate(alice, 0x11, { name: 'hers', requestId });
  await alice.ask({ release: { grantId: hers.grantId } });
  hers.fd.close();
  alice.close();
  await until('her end', async () => ((await budget(kept)).counts?.sessions === 0 ? true : undefined));
  await restart(kept);
  const bob = await kept.open();
  t.not(bob.welcome.sessionId, alice.welcome.sessionId);
  const kindOf = await allocate(bob, 0x22, { requestId: 'another' });
  await restart(kept);
  const again = await kept.open({ token: bob.welcome.sessionToken, grantIds: [kindOf.grantId] });
  t.match(again.welcome, { restored: true, sessionId: bob.welcome.sessionId });
  const his = await allocate(again, 0x33, { requestId });
  t.not(his.id, hers.id, 'the request makes memory of its own');
  for (const { fd } of [kindOf, his]) fd.close();
  await again.ask({ free: { allocation: { name: 'hers' } } });
  again.close();
  bob.close();
  await nothingLeft(t, kept);
});

t.test('nor is what is written down of another user', async (t) => {
  const kept = await Kept.start(t);
  const wire = await kept.open();
  const first = await allocate(wire, 0x44, { name: 'first', requestId });
  const uid = process.getuid?.() ?? 0;
  const give = (to: number) =>
    rewritten(kept, ({ allocations }) => {
      for (const record of allocations.all.filter(({ id }) => id === first.id)) {
        allocations.put(first.id, { ...record, terms: { ...record.terms, ownerUid: to } });
      }
    });
  await give(uid + 1);
  const again = await kept.open({ token: wire.welcome.sessionToken, grantIds: [] });
  const second = await allocate(again, 0x55, { requestId });
  t.not(second.id, first.id);
  await give(uid);
  await controlled(kept, (control) => control.call('FreeAllocation', { allocation: { id: first.id } }));
  for (const { fd } of [first, second]) fd.close();
  const last = await kept.open({ token: wire.welcome.sessionToken, grantIds: [] });
  last.close();
  again.close();
  wire.close();
  await nothingLeft(t, kept);
});

t.test('what was asked again while what it had made before drains', async (t) => {
  const kept = await Kept.start(t);
  const wire = await kept.open();
  const drains = await allocate(wire, 0x66, { requestId });
  const held = drains.fd.dup('kept on');
  await wire.ask({ free: { allocation: { id: drains.id } } });
  drains.fd.close();
  const made = await allocate(wire, 0x77, { requestId });
  t.not(made.id, drains.id);
  await restart(kept);
  const again = await kept.open({ token: wire.welcome.sessionToken, grantIds: [made.grantId] });
  const same = await allocate(again, 0x88, { requestId });
  t.equal(same.id, made.id, 'is answered with what there is');
  t.equal((await list(kept)).filter(({ state }) => state === 'ALLOCATION_STATE_LIVE').length, 1);
  held.close();
  for (const { fd } of [made, same]) fd.close();
  again.close();
  wire.close();
  await nothingLeft(t, kept);
});
