/**
 * Entrusted grants: memory that a process was given counts while the process lives, whatever happens to the
 * giver.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openPidfd } from '@vkmemd/client';
import { createMemfd, type Draft, errorOf, type OwnedFd } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { connected, MIB } from '../client/support.js';
import { allocate, budget, nothingLeft } from '../store/support.js';
import { ANYBODY, assertCounts, assertNoLeaks, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { asOtherUser, noOtherUser, openToOthers } from '../support/uid.js';

/** A process without a connection to any daemon, which ends with the test. */
function otherProcess(t: Test, stdio: readonly (number | 'ignore')[] = []): ChildProcess & { pid: number } {
  const child = spawn('sleep', ['600'], { stdio: ['ignore', 'ignore', 'ignore', ...stdio] });
  t.teardown(() => child.kill('SIGKILL'));
  if (child.pid === undefined) throw new Error('there is no sleep(1)');
  return child as ChildProcess & { pid: number };
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

/** The code that a message with fds is refused with. */
async function refusal(wire: HandoffWire, body: Draft<'ClientMessage'>, fds: OwnedFd[]): Promise<string> {
  wire.send(body, fds);
  const { message } = await wire.next();
  return message.error ? errorOf(message.error).code : 'served';
}

t.test('an entrusted grant outlives its claimer, and ends with the process that holds it', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const client = await connected(t, runtimeDir);
  const maker = await connected(t, runtimeDir);

  await t.test('freed memory drains until that process has ended', async (t) => {
    await maker.allocate({ name: 'frames', size: MIB, grant: [] });
    const memory = await client.claim({ name: 'frames' });
    const fd = memory.fd('MAPPABLE');
    const child = otherProcess(t, [fd.fd]);
    fd.close();
    const pidfd = openPidfd(child.pid);
    const id = await memory.entrust(pidfd);
    pidfd.close();
    t.ok(id > client.session.id);
    await memory.release();
    await assertCounts(t, runtimeDir, { sessions: 3, allocations: 1, grants: 1, fds: 1, deviceMemories: 1 });
    t.equal((await maker.free({ name: 'frames' })).freed, false);
    await assertCounts(t, runtimeDir, { sessions: 3, drainingAllocations: 1, grants: 1, fds: 1 });
    await ended(child);
    await assertCounts(t, runtimeDir, { sessions: 2 });
  });

  await t.test('the write lock moves with the grant, and returns when it is released', async (t) => {
    await maker.allocate({ name: 'one', size: MIB, sharing: 'ONE_WRITER', grant: [] });
    const memory = await client.claim({ name: 'one' });
    const another = await client.claim({ name: 'one' });
    const pidfd = openPidfd(otherProcess(t).pid);
    t.teardown(() => pidfd.close());
    await t.rejects(
      memory.entrust(pidfd),
      { code: 'BUSY' },
      'one of two writers cannot move its lock away from the other',
    );
    await another.release();
    const session = await memory.entrust(pidfd);
    await memory.release();
    t.equal((await maker.get({ name: 'one' })).writerSessionId, session);
    await t.rejects(client.claim({ name: 'one' }), { code: 'BUSY' });
    await client.endEntrusted(session);
    await (await client.claim({ name: 'one' })).release();
    t.equal((await maker.free({ name: 'one' })).freed, true);
  });

  await t.test('a refused entrust moves nothing', async (t) => {
    const made = await maker.allocate({ name: 'kept', size: MIB, grant: [] });
    const wire = await HandoffWire.open(runtimeDir);
    const kinds = ['KIND_MAPPABLE'] as const;
    const claimed = await wire.ask({ claim: { allocation: { name: 'kept' }, kinds } });
    for (const fd of claimed.fds) fd.close();
    const grantId = claimed.message.claim?.grants[0]?.id ?? 0n;
    const child = otherProcess(t);
    const living = () => openPidfd(child.pid);
    const dead = otherProcess(t);
    const gone = openPidfd(dead.pid);
    await ended(dead);
    const good = { entrust: { grantIds: [grantId] } };
    t.equal(await refusal(wire, good, [await createMemfd('not a process', 4096n)]), 'INVALID_HANDLE');
    t.equal(await refusal(wire, good, [gone]), 'INVALID_HANDLE');
    wire.send({ ...good, fdCount: 1 }, [await createMemfd('not a process', 4096n)]);
    const { error } = (await wire.next()).message;
    t.match(error && errorOf(error).next, /^Send a pidfd \(pidfd_open\)/, 'the step is about the pidfd');
    t.equal(await refusal(wire, { entrust: { grantIds: [grantId, 999n] } }, [living()]), 'NOT_FOUND');
    t.equal(await refusal(wire, { entrust: { grantIds: [] } }, [living()]), 'INVALID_ARGUMENT');
    const own = wire.welcome.sessionId;
    t.equal(
      await refusal(wire, { endEntrusted: { sessionId: own } }, []),
      'NOT_FOUND',
      'not an entrusted session',
    );
    await assertCounts(t, runtimeDir, { sessions: 3, allocations: 1, grants: 1, fds: 1, deviceMemories: 1 });

    wire.send(good, [living()]);
    const session = (await wire.next()).message.entrust?.sessionId ?? 0n;
    t.equal(
      await refusal(wire, { release: { grantId } }, []),
      'NOT_FOUND',
      'the grant belongs to another session now',
    );
    if (noOtherUser === undefined) {
      openToOthers(runtimeDir);
      t.equal(await asOtherUser('../vm/other-user.js', [runtimeDir, String(session)]), 'NOT_FOUND');
    } else t.comment(noOtherUser);
    await wire.ask({ endEntrusted: { sessionId: session } });
    t.equal(await refusal(wire, good, []), 'PROTOCOL_ERROR', 'without a pidfd');
    await wire.closed;
    await made.free();
  });

  await client.close();
  await maker.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('an entrusted session survives a restart of the daemon, and ends with its process', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const child = otherProcess(t);
  const wire = await daemon.open();
  const held = await allocate(wire, 7, { name: 'frames' });
  held.fd.close();
  wire.send({ entrust: { grantIds: [held.grantId] } }, [openPidfd(child.pid)]);
  const session = (await wire.next()).message.entrust?.sessionId ?? 0n;
  wire.close();
  await daemon.kill();
  await daemon.serving();
  const counts = async () => (await budget(daemon)).counts;
  t.match(await counts(), { sessions: 1, grants: 1 });

  const later = await daemon.open();
  const token = `${later.welcome.incarnation}.${session}`;
  t.not(later.welcome.sessionId, session);
  const thief = await daemon.open({ token, grantIds: [] });
  t.notOk(thief.welcome.restored, 'no other session can resume it');
  thief.close();
  await ended(child);
  await until('the end of the session', async () => ((await counts())?.grants === 0 ? true : undefined));
  await later.ask({ free: { allocation: { name: 'frames' } } });
  later.close();
  await nothingLeft(t, daemon);
});
