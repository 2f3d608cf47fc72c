/** State that survives a daemon besides memory: tickets with their remaining uses, and changed quotas. */
import { writeFileSync } from 'node:fs';
import { closeAll } from '@vkmemd/proto';
import t from 'tap';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import { allocate, controlled, nothingLeft } from './support.js';

/** Of this process, whose sessions are counted. */
const UID = process.getuid?.() ?? 0;

t.test('tickets survive a restart', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  const held = await allocate(wire, 0x41, { name: 'frames' });
  await wire.ask({ release: { grantId: held.grantId } });
  held.fd.close();
  const make = async (uses: number) => {
    const request = { allocation: { name: 'frames' }, uses, validSeconds: 600 };
    return controlled(daemon, (control) => control.call('CreateTicket', request));
  };
  const [two, one, revoked] = [await make(2), await make(1), await make(1)];
  await controlled(daemon, (control) => control.call('RevokeTicket', { ticketId: revoked.ticket?.id ?? '' }));
  const redeem = async (on: typeof wire, ticket: string) => {
    const { message, fds } = await on.ask({ claim: { ticket } });
    closeAll(fds);
    for (const { id } of message.claim?.grants ?? []) await on.ask({ release: { grantId: id } });
  };
  await redeem(wire, two.secret);
  await redeem(wire, one.secret);
  await daemon.kill();
  await daemon.serving();
  const second = await daemon.open();
  const { tickets } = await controlled(daemon, (control) => control.call('ListTickets', {}));
  t.match(tickets, [{ id: two.ticket?.id, usesLeft: 1 }], 'the ticket with a use left');
  t.equal(tickets.length, 1);
  await redeem(second, two.secret);
  for (const { secret } of [two, one, revoked]) {
    await t.rejects(second.ask({ claim: { ticket: secret } }), { code: 'TICKET_INVALID' });
  }
  await second.ask({ free: { allocation: { name: 'frames' } } });
  second.close();
  wire.close();
  await nothingLeft(t, daemon);
});

t.test('changed quotas survive a restart', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const quota = async (uid: number) =>
    (await controlled(daemon, (control) => control.call('GetQuota', { uid }))).quota;
  const set = async (uid: number, change: object) => {
    const expectedRevision = (await quota(uid))?.revision ?? 0n;
    return controlled(daemon, (control) => control.call('SetQuota', { uid, expectedRevision, ...change }));
  };
  const heaps = [{ heapIndex: 0, limitBytes: 1n << 20n }];
  t.match(await set(12_345, { heaps, sessions: 3 }), { outcome: 'QUOTA_OUTCOME_APPLIED' });
  await set(12_346, { sessions: 4 });
  await set(12_346, { reset: true });
  await daemon.kill();
  await daemon.serving();
  t.match(await quota(12_345), {
    overridden: true,
    sessions: { limit: 3 },
    heaps: [{ heapIndex: 0, limitBytes: 1n << 20n }],
  });
  t.match(await quota(12_346), { overridden: false }, 'a reset quota stays reset');
  await nothingLeft(t, daemon);
});

t.test('restored usage is counted, even above the current limit', async (t) => {
  const policy = (sessions: number) =>
    `[[rule]]\nuid = ${UID}\nmax_sessions = ${sessions}\nmax_tickets = ${sessions}\n`;
  const daemon = await SupervisedDaemon.start(t, { policy: policy(2) });
  const quota = async () =>
    (await controlled(daemon, (control) => control.call('GetQuota', { uid: UID }))).quota;
  const expectedRevision = (await quota())?.revision ?? 0n;
  await controlled(daemon, (control) =>
    control.call('SetQuota', { uid: UID, expectedRevision, sessions: 4, tickets: 4 }),
  );
  const wires = await Promise.all(Array.from({ length: 4 }, () => daemon.open()));
  const named = await Promise.all(wires.map((wire, at) => allocate(wire, at, { name: `frames-${at}` })));
  for (const { id } of named) {
    await controlled(daemon, (control) =>
      control.call('CreateTicket', { allocation: { id }, uses: 1, validSeconds: 600 }),
    );
  }
  await daemon.kill();
  await daemon.serving();
  const four = { limit: 4, used: 4, overage: 0 };
  t.match(await quota(), { sessions: four, tickets: four }, 'with a limit by SetQuota');
  await t.rejects(daemon.open(), { code: 'TOO_MANY_SESSIONS' });
  const revision = (await quota())?.revision ?? 0n;
  await controlled(daemon, (control) =>
    control.call('SetQuota', { uid: UID, expectedRevision: revision, reset: true }),
  );
  writeFileSync(daemon.policy, policy(3));
  await daemon.kill();
  await daemon.serving();
  const over = { limit: 3, used: 4, overage: 1 };
  t.match(await quota(), { sessions: over, tickets: over }, 'with a lower limit by a policy');
  for (const { id, fd } of named) {
    fd.close();
    await controlled(daemon, (control) => control.call('FreeAllocation', { allocation: { id } }));
  }
  for (const wire of wires) wire.close();
  await nothingLeft(t, daemon);
});
