/** Tickets between users who share nothing else: what a ticket permits, what it does not, and how it ends. */
import t from 'tap';
import { HandoffWire } from '../support/handoff-wire.js';
import {
  HOLDER,
  INVALID,
  kinds,
  NARROW,
  OTHER,
  opaque,
  SMALL,
  skip,
  start,
  until,
} from './ticket-support.js';

t.test('a ticket permits one claim of one allocation, and nothing else', { skip }, async (t) => {
  const { owner, control, allocation, tenants, end } = await start(t, HOLDER, OTHER);
  const [holder, other] = tenants;
  const { message } = await owner.ask({ createTicket: { allocation } });
  const { secret, ticket } = message.createTicket ?? { secret: '', ticket: null };
  t.match(ticket, {
    kinds,
    access: 'ACCESS_READ_ONLY',
    usesLeft: 1,
    ownerUid: 0,
    allocationId: (await control.call('GetAllocation', { allocation })).allocation?.id,
  });
  const hour = Number(ticket?.expiresAt?.seconds) - Date.now() / 1000;
  t.ok(hour > 3500 && hour < 3700, 'valid for an hour by default');
  t.notOk(ticket && 'forUid' in ticket && ticket.forUid !== undefined, 'for any user by default');

  const { message: reported, seen } = await holder.ask({ claim: { ticket: secret } });
  t.match(reported.claim, {
    allocation: { id: ticket?.allocationId, name: 'frames', ownerUid: 0 },
    grants: [{ kind: 'KIND_MAPPABLE', access: 'ACCESS_READ_ONLY', readOnly: 'READ_ONLY_STRENGTH_ENFORCED' }],
  });
  t.strictSame(seen, [{ text: 'dcba', write: 'NOT_MAPPABLE', reopen: 'EACCES' }], 'it permits reading only');
  await t.rejects(holder.ask({ claim: { ticket: secret } }), INVALID, 'once');
  await t.rejects(other.ask({ claim: { ticket: secret } }), INVALID);
  const id = ticket?.allocationId ?? '';
  const denied = { code: 'NOT_PERMITTED' };
  await t.rejects(
    holder.ask({ claim: { allocation: { id }, kinds } }),
    denied,
    'a claim by id, without the ticket',
  );
  await t.rejects(holder.ask({ free: { allocation: { id } } }), denied);
  await t.rejects(holder.call('GetAllocation', { allocation: { id } }), denied);
  await t.rejects(
    holder.ask({ createTicket: { allocation: { id } } }),
    denied,
    'the holder cannot create a ticket itself',
  );

  const rw = { allocation, access: 'ACCESS_READ_WRITE', uses: 3, forUid: OTHER } as const;
  const { secret: writing } = await control.call('CreateTicket', rw);
  await t.rejects(holder.ask({ claim: { ticket: writing } }), INVALID, 'a ticket for another user');
  t.match((await other.ask({ claim: { ticket: writing } })).seen, [{ text: 'dcba', write: 'served' }]);
  const access = 'ACCESS_READ_ONLY' as const;
  const less = await other.ask({ claim: { ticket: writing, kinds, access } });
  t.match(less.seen, [{ write: 'NOT_MAPPABLE' }], 'a claim with less access than the ticket permits');
  t.match((await control.call('ListTickets', {})).tickets, [{ usesLeft: 1, forUid: OTHER }]);
  t.match((await other.ask({ claim: { ticket: writing } })).seen, [{ write: 'served' }]);
  await t.rejects(other.ask({ claim: { ticket: writing } }), INVALID, 'all three uses are spent');
  await end();
});

t.test('a failed claim does not spend a use', { skip }, async (t) => {
  const { control, allocation, tenants, end } = await start(t, HOLDER, NARROW);
  const [holder, narrow] = tenants;
  const software = (await control.call('ListDevices', {})).devices[0]?.type === 'DEVICE_TYPE_CPU';
  await control.call('Allocate', { sizeBytes: 4096n, kinds: opaque, name: 'opaque' });
  const { secret } = await control.call('CreateTicket', { allocation });
  const denied = { code: 'NOT_PERMITTED' };
  const claims = [
    [holder, { access: 'ACCESS_READ_WRITE' }, denied, 'more access'],
    [holder, { kinds: opaque }, denied, 'another kind'],
    [holder, { kinds: [9] as never }, { code: 'KIND_UNSUPPORTED' }, 'no kind'],
    [holder, { access: 7 as never }, { code: 'INVALID_ARGUMENT' }, 'no access'],
    [holder, { allocation }, { code: 'INVALID_ARGUMENT' }, 'a ticket and an allocation'],
    [narrow, {}, denied, 'a kind that the policy withholds'],
  ] as const;
  for (const [who, more, refusal, what] of claims) {
    await t.rejects(who.ask({ claim: { ticket: secret, ...more } }), refusal, what);
    t.match((await control.call('ListTickets', {})).tickets, [{ usesLeft: 1 }], 'the use is not spent');
  }
  const { secret: device } = await control.call('CreateTicket', { allocation: { name: 'opaque' } });
  if (software) {
    await t.rejects(
      holder.ask({ claim: { ticket: device } }),
      denied,
      "a kind that shares a software device's memory",
    );
  }
  t.equal((await control.call('ListTickets', {})).tickets.length, 2);
  t.match(
    (await holder.ask({ claim: { ticket: secret } })).seen,
    [{ text: 'dcba' }],
    'a valid claim spends the use',
  );
  await control.call('FreeAllocation', { allocation: { name: 'opaque' } });
  await end();
});

t.test('a ticket ends when it is revoked, expires, or its allocation ends', { skip }, async (t) => {
  const { runtimeDir, owner, control, allocation, tenants, end } = await start(t, HOLDER, OTHER);
  const [holder, other] = tenants;
  const { message } = await holder.ask({ allocate: SMALL });
  const own = { id: message.allocate?.allocation?.id ?? '' };
  const make = async () =>
    (await holder.ask({ createTicket: { allocation: own, uses: 5 } })).message.createTicket;
  const [first, second] = [await make(), await make()];
  await t.rejects(
    make(),
    { code: 'QUOTA_EXCEEDED', metadata: { limit: '2' } },
    'the limit of tickets is reached',
  );
  t.match((await other.ask({ claim: { ticket: first?.secret ?? '' } })).message.claim?.allocation, own);
  const ticketId = first?.ticket?.id ?? '';
  t.strictSame(
    await other.call('ListTickets', {}),
    { tickets: [], nextPageToken: '' },
    'other users do not see it',
  );
  for (const attempt of [
    other.ask({ revokeTicket: { ticketId } }),
    other.call('RevokeTicket', { ticketId }),
  ]) {
    await t.rejects(attempt, { code: 'NOT_FOUND' }, 'and cannot revoke it');
  }
  await holder.ask({ revokeTicket: { ticketId } });
  await t.rejects(other.ask({ claim: { ticket: first?.secret ?? '' } }), INVALID, 'revoked');
  await t.rejects(holder.call('RevokeTicket', { ticketId }), { code: 'NOT_FOUND' }, 'once');
  const third = await make();
  await control.call('RevokeTicket', { ticketId: third?.ticket?.id ?? '' });
  t.match(
    (await holder.call('ListTickets', {})).tickets,
    [{ id: second?.ticket?.id }],
    'an operator can revoke it',
  );
  await t.rejects(other.ask({ claim: { ticket: third?.secret ?? '' } }), INVALID);
  await holder.ask({ free: { allocation: own } });
  await t.rejects(
    other.ask({ claim: { ticket: second?.secret ?? '' } }),
    INVALID,
    'its allocation was freed',
  );

  const session = await HandoffWire.open(runtimeDir);
  const { allocate } = (await session.ask({ allocate: SMALL })).message;
  const brief = { allocation: { id: allocate?.allocation?.id ?? '' }, uses: 1_000_000 };
  const { secret: ofSession } = await control.call('CreateTicket', brief);
  await holder.ask({ claim: { ticket: ofSession } });
  session.close();
  await session.closed;
  await until(async () => (await control.call('ListTickets', {})).tickets.length === 0);
  await t.rejects(holder.ask({ claim: { ticket: ofSession } }), INVALID, 'its session ended');

  const { secret: short } = await control.call('CreateTicket', { allocation, validSeconds: 1 });
  await until(async () => (await control.call('ListTickets', {})).tickets.length === 0);
  await t.rejects(holder.ask({ claim: { ticket: short } }), INVALID, 'expired');
  t.equal(owner.welcome.protocolVersion, 1);
  await end();
});

t.test('invalid CreateTicket requests are rejected', { skip }, async (t) => {
  const { owner, control, allocation, tenants, end } = await start(t, HOLDER);
  const cases = [
    [{}, 'INVALID_ARGUMENT'],
    [{ allocation: { name: 'none' } }, 'NOT_FOUND'],
    [{ allocation, kinds: opaque }, 'KIND_NOT_REQUESTED'],
    [{ allocation, kinds: [99] as never }, 'KIND_UNSUPPORTED'],
    [{ allocation, access: 99 as never }, 'INVALID_ARGUMENT'],
    [{ allocation, uses: 1_000_001 }, 'INVALID_ARGUMENT'],
    [{ allocation, validSeconds: 30 * 24 * 3600 + 1 }, 'INVALID_ARGUMENT'],
  ] as const;
  for (const [request, code] of cases) {
    await t.rejects(owner.ask({ createTicket: request }), { code }, code);
    await t.rejects(control.call('CreateTicket', request), { code }, 'on both planes');
  }
  await t.rejects(tenants[0].ask({ createTicket: { allocation: { name: '0/frames' } } }), {
    code: 'NOT_PERMITTED',
  });
  await control.call('CreateTicket', { allocation, uses: 1_000_000, validSeconds: 30 * 24 * 3600 });
  await end();
});
