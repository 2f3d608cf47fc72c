/**
 * What outlives a daemon beside memory: tickets, with the uses that they have left, and quotas as they were changed.
 */
import { closeAll } from '@vkmemd/proto';
import t from 'tap';
import { Kept } from '../support/kept.js';
import { allocate, controlled, nothingLeft } from './support.js';

t.test('tickets', async (t) => {
  const kept = await Kept.start(t);
  const wire = await kept.open();
  const held = await allocate(wire, 0x41, { name: 'frames' });
  await wire.ask({ release: { grantId: held.grantId } });
  held.fd.close();
  const make = async (uses: number) => {
    const request = { allocation: { name: 'frames' }, uses, validSeconds: 600 };
    return controlled(kept, (control) => control.call('CreateTicket', request));
  };
  const [two, one, revoked] = [await make(2), await make(1), await make(1)];
  await controlled(kept, (control) => control.call('RevokeTicket', { ticketId: revoked.ticket?.id ?? '' }));
  const redeem = async (on: typeof wire, ticket: string) => {
    const { message, fds } = await on.ask({ claim: { ticket } });
    closeAll(fds);
    for (const { id } of message.claim?.grants ?? []) await on.ask({ release: { grantId: id } });
  };
  await redeem(wire, two.secret);
  await redeem(wire, one.secret);
  await kept.kill();
  await kept.serving();
  const again = await kept.open();
  const { tickets } = await controlled(kept, (control) => control.call('ListTickets', {}));
  t.match(tickets, [{ id: two.ticket?.id, usesLeft: 1 }], 'the one that has a use left');
  t.equal(tickets.length, 1);
  await redeem(again, two.secret);
  for (const { secret } of [two, one, revoked]) {
    await t.rejects(again.ask({ claim: { ticket: secret } }), { code: 'TICKET_INVALID' });
  }
  await again.ask({ free: { allocation: { name: 'frames' } } });
  again.close();
  wire.close();
  await nothingLeft(t, kept);
});

t.test('quotas', async (t) => {
  const kept = await Kept.start(t);
  const quota = async (uid: number) =>
    (await controlled(kept, (control) => control.call('GetQuota', { uid }))).quota;
  const set = async (uid: number, change: object) => {
    const expectedRevision = (await quota(uid))?.revision ?? 0n;
    return controlled(kept, (control) => control.call('SetQuota', { uid, expectedRevision, ...change }));
  };
  const heaps = [{ heapIndex: 0, limitBytes: 1n << 20n }];
  t.match(await set(12_345, { heaps, sessions: 3 }), { outcome: 'QUOTA_OUTCOME_APPLIED' });
  await set(12_346, { sessions: 4 });
  await set(12_346, { reset: true });
  await kept.kill();
  await kept.serving();
  t.match(await quota(12_345), {
    overridden: true,
    sessions: { limit: 3 },
    heaps: [{ heapIndex: 0, limitBytes: 1n << 20n }],
  });
  t.match(await quota(12_346), { overridden: false }, 'what was taken back stays so');
  await nothingLeft(t, kept);
});
