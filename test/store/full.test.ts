/**
 * A file system under the ledger that is full, or fails: no failure ends the daemon; new memory is refused;
 * frees work or change nothing; and once there is room, everything is as if nothing had happened.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { allocate, claim, controlled, holds, kinds, list, nothingLeft } from './support.js';

// Each starts several daemons.
t.setTimeout(300_000);

const privileged = process.getuid?.() === 0 ? false : 'needs root, to mount a tmpfs';
const SHARED = { sizeBytes: 8192n, kinds };

const names = async (daemon: SupervisedDaemon): Promise<string[]> =>
  (await list(daemon)).map(({ name }) => name).sort();

/** What the daemon reports about itself. */
function reported(daemon: SupervisedDaemon) {
  return controlled(daemon, async (control) => {
    const { ready, warnings } = await control.call('GetStatus', {});
    const { families } = await control.call('GetMetrics', {});
    const family = families.find(({ name }) => name === 'vkmemd_ledger_writable');
    return { ready, warnings: warnings.map(({ code }) => code), writable: family?.metrics[0]?.value };
  });
}

for (const size of ['96k', '1m']) {
  t.test(`a full file system of ${size}`, { skip: privileged }, async (t) => {
    const daemon = await SupervisedDaemon.start(t, { tmpfs: size });
    const wire = await daemon.open();
    const { pid } = daemon;
    for (const name of ['a', 'b']) await wire.ask({ allocate: { ...SHARED, name } });
    const own = await allocate(wire, 7, { name: 'own' });
    const empty = daemon.fill();
    for (const name of ['c', 'd']) {
      await t.rejects(wire.ask({ allocate: { ...SHARED, name } }), {
        code: 'LEDGER_FULL',
        metadata: { folder: /\/state$/, needed_bytes: /^[1-9]\d+$/, errno: 'ENOSPC' },
      });
    }
    t.strictSame(await names(daemon), ['a', 'b', 'own'], 'a refused allocation is gone');
    t.match(await reported(daemon), { ready: true, warnings: ['LEDGER_FULL'], writable: 0 });
    const read = await claim(wire, { name: 'own' });
    t.ok(holds(read, 7), 'existing memory is granted');
    for (const { grantId, fd } of [own, read]) {
      fd.close();
      await wire.ask({ release: { grantId } });
    }
    for (const name of ['a', 'own']) await wire.ask({ free: { allocation: { name } } });
    t.strictSame(await names(daemon), ['b'], 'frees work');
    t.equal(daemon.pid, pid, 'the daemon has not ended');
    await daemon.kill();
    await daemon.serving();
    t.strictSame(await names(daemon), ['b'], 'and are not undone by a restart');
    await until('the answer of the full file system', () =>
      controlled(daemon, (control) => control.call('Allocate', { ...SHARED, name: 'e' }))
        .then(() => undefined)
        .catch(({ code }) => (code === 'LEDGER_FULL' ? true : undefined)),
    );
    empty();
    const after = await daemon.open();
    await until('room', async () =>
      after.ask({ allocate: { ...SHARED, name: 'c' } }).then(
        () => true,
        ({ code }) => (code === 'LEDGER_FULL' ? undefined : true),
      ),
    );
    t.strictSame(await names(daemon), ['b', 'c']);
    t.match(await reported(daemon), { ready: true, warnings: [], writable: 1 });
    for (const name of ['b', 'c']) await after.ask({ free: { allocation: { name } } });
    for (const each of [wire, after]) each.close();
    await nothingLeft(t, daemon);
  });
}

t.test('a hundred allocations are freed while nothing is free', { skip: privileged }, async (t) => {
  const daemon = await SupervisedDaemon.start(t, { tmpfs: '2m' });
  const wire = await daemon.open();
  for (let n = 0; n < 100; n += 1) await wire.ask({ allocate: { ...SHARED, name: `n${n}` } });
  const empty = daemon.fill();
  for (let n = 0; n < 100; n += 1) await wire.ask({ free: { allocation: { name: `n${n}` } } });
  t.strictSame(await names(daemon), []);
  await daemon.kill();
  await daemon.serving();
  t.strictSame(await names(daemon), []);
  empty();
  wire.close();
  await nothingLeft(t, daemon);
});

t.test('frees that still work do not end the warning', { skip: privileged }, async (t) => {
  const daemon = await SupervisedDaemon.start(t, { tmpfs: '1m' });
  const wire = await daemon.open();
  const all = ['a', 'b', 'c', 'd', 'e'];
  for (const name of all) await wire.ask({ allocate: { ...SHARED, name } });
  const empty = daemon.fill();
  for (const name of all) {
    await t.rejects(wire.ask({ allocate: { ...SHARED, name: 'more' } }), { code: 'LEDGER_FULL' });
    await wire.ask({ free: { allocation: { name } } });
    t.match(await reported(daemon), { warnings: ['LEDGER_FULL'], writable: 0 }, `after the free of ${name}`);
  }
  t.equal(daemon.log.match(/the ledger cannot be written/g)?.length, 1, 'it is logged once');
  empty();
  wire.close();
  await nothingLeft(t, daemon);
});

t.test('the reserve is used, and filled again', { skip: privileged }, async (t) => {
  const daemon = await SupervisedDaemon.start(t, { tmpfs: '4m' });
  const size = () => statSync(join(daemon.runtimeDir, 'state/reserve')).size;
  t.equal(size(), 256 << 10);
  const wire = await daemon.open();
  const sessions = [];
  const empty = daemon.fill();
  t.equal(size(), 256 << 10, 'it is there when nothing else is');
  for (let n = 0; n < 40; n += 1) sessions.push(await daemon.open());
  await t.rejects(wire.ask({ allocate: { ...SHARED, name: 'one' } }), { code: 'LEDGER_FULL' });
  empty();
  await until('room', () =>
    wire.ask({ allocate: { ...SHARED, name: 'one' } }).then(
      () => true,
      () => undefined,
    ),
  );
  t.equal(size(), 256 << 10);
  await wire.ask({ free: { allocation: { name: 'one' } } });
  for (const each of [wire, ...sessions]) each.close();
  await nothingLeft(t, daemon);
});

for (const errno of ['ENOSPC', 'EIO', 'EDQUOT', 'EROFS', 'MDB_PANIC']) {
  t.test(`writes that fail with ${errno}`, async (t) => {
    const daemon = await SupervisedDaemon.start(t);
    const { pid } = daemon;
    const wire = await daemon.open();
    const other = await daemon.open();
    await wire.ask({ allocate: { ...SHARED, name: 'a' } });
    const held = await allocate(other, 3);
    const ticket = await wire.ask({ createTicket: { allocation: { name: 'a' }, kinds } });
    const { secret = '', ticket: made } = ticket.message.createTicket ?? {};
    daemon.failWrites(errno);
    const refused = { code: 'LEDGER_FULL', metadata: { errno } };
    await t.rejects(wire.ask({ allocate: { ...SHARED, name: 'b' } }), refused);
    await t.rejects(wire.ask({ claim: { allocation: { name: 'a' }, kinds } }), refused);
    await t.rejects(wire.ask({ createTicket: { allocation: { name: 'a' }, kinds } }), refused);
    await t.rejects(wire.ask({ revokeTicket: { ticketId: made?.id ?? '' } }), refused);
    await t.rejects(other.ask({ claim: { ticket: secret } }), refused, 'its use cannot be recorded');
    await t.rejects(wire.ask({ free: { allocation: { name: 'a' } } }), refused);
    await controlled(daemon, async (control) => {
      const before = await control.call('GetQuota', { uid: 1 });
      const expectedRevision = before.quota?.revision ?? 0n;
      await t.rejects(control.call('SetQuota', { uid: 1, tickets: 3, expectedRevision }), refused);
      const { quota } = await control.call('GetQuota', { uid: 1 });
      t.equal(quota?.overridden, false);
      const { tickets } = await control.call('ListTickets', {});
      t.match(tickets, [{ id: made?.id, usesLeft: 1 }], 'tickets are unchanged');
    });
    t.match(await list(daemon), [{ name: 'a' }, { name: '' }], 'nothing changed');
    held.fd.close();
    other.close();
    await until('the end of the session', async () => ((await list(daemon)).length === 1 ? true : undefined));
    t.equal(daemon.pid, pid, 'the end of a session does not end the daemon');
    daemon.writesSucceed();
    await until('writes', () =>
      wire.ask({ allocate: { ...SHARED, name: 'b' } }).then(
        () => true,
        () => undefined,
      ),
    );
    await daemon.kill();
    await daemon.serving();
    t.strictSame(await names(daemon), ['a', 'b'], 'everything was written');
    const after = await daemon.open();
    for (const name of ['a', 'b']) await after.ask({ free: { allocation: { name } } });
    for (const each of [wire, after]) each.close();
    await nothingLeft(t, daemon);
  });
}
