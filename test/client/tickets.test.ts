/**
 * Tickets through the client: created by a client with the right to do so, claimed by any client with the
 * secret, and every mistake before and after the wire.
 */
import { connectControl } from '@vkmemd/client';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { connected, PAGE } from './support.js';

t.test('a ticket is created by one client and claimed by another', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const maker = await connected(t, runtimeDir);
  const user = await connected(t, runtimeDir);
  await using control = connectControl({ runtimeDir });
  await using memory = await maker.allocate({ size: PAGE });
  memory.map().bytes.set([1, 2, 3]);

  const { secret, ticket } = await memory.createTicket();
  t.match(ticket, { allocationId: memory.id, usesLeft: 1, access: 'ACCESS_READ_ONLY' });
  {
    await using claimed = await user.claim({ ticket: secret });
    t.equal(claimed.id, memory.id);
    t.same([...claimed.map({ length: 3 }).bytes], [1, 2, 3]);
    t.throws(() => claimed.map({ access: 'rw' }), { code: 'NOT_PERMITTED' }, 'it permits reading only');
  }
  await t.rejects(user.claim({ ticket: secret }), { code: 'TICKET_INVALID' });

  const access = 'rw' as const;
  const two = await maker.createTicket(memory, { kinds: ['MAPPABLE'], access, uses: 2, validSeconds: 60 });
  {
    await using claimed = await user.claim({ ticket: two.secret });
    claimed.map().bytes[0] = 9;
    await using less = await user.claim({ ticket: two.secret }, { access: 'ro', kinds: ['MAPPABLE'] });
    t.equal(less.grants[0]?.access, 'ACCESS_READ_ONLY');
  }
  t.equal(memory.map({ length: 1 }).bytes[0], 9);
  t.same(await control.listTickets(), [], 'both tickets are used up');

  const made = await control.createTicket({ id: memory.id }, { uses: 5, forUid: process.getuid?.() ?? 0 });
  t.match(await control.listTickets(), [{ id: made.ticket.id, usesLeft: 5 }]);
  await control.revokeTicket(made.ticket.id);
  await t.rejects(control.revokeTicket(made.ticket.id), { code: 'NOT_FOUND' });
  const last = await maker.createTicket(memory);
  await maker.revokeTicket(last.ticket.id);
  await t.rejects(user.claim({ ticket: last.secret }), { code: 'TICKET_INVALID' });
});

t.test('invalid arguments are rejected before a request is sent', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  await using control = connectControl({ runtimeDir });
  const name = 'none';
  const invalid = { code: 'INVALID_ARGUMENT' };
  for (const options of [
    { uses: 0 },
    { uses: 1.5 },
    { validSeconds: -1 },
    { forUid: 2 ** 32 },
    { access: 'write' as never },
  ]) {
    await t.rejects(client.createTicket({ name }, options), invalid, JSON.stringify(options));
    await t.rejects(control.createTicket({ name }, options), invalid);
  }
  await t.rejects(client.createTicket({ name }, { kinds: [] }), { code: 'KIND_NOT_REQUESTED' });
  await t.rejects(
    client.createTicket({ name }),
    { code: 'NOT_FOUND' },
    'an error that only the daemon can detect',
  );
  await t.rejects(client.createTicket({} as never), invalid);
  for (const ticket of ['', 'x'.repeat(1000), 5 as never, undefined as never]) {
    const failure = await client.claim({ ticket }).catch((error) => error);
    t.match(failure, invalid);
    t.notOk(failure.message.includes('xxx'), 'the message does not repeat a possible secret');
    await t.rejects(client.revokeTicket(ticket), invalid);
  }
  await t.rejects(client.claim(undefined as never), invalid);
});
