/**
 * How WatchAllocations ends: a slow reader, the end of its session, the end of the daemon; and the maximum
 * per user.
 */
import { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { dropped, gapless, kinds, nameOf, SMALL, watchingNow } from './watch-support.js';

const AT_ONCE = 25;

t.test('a watch that is not read is ended and does not delay others', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const [slowly, quickly] = [new ControlWire(runtimeDir), new ControlWire(runtimeDir)];
  const slow = slowly.watchAllocations();
  const quick = quickly.watchAllocations();
  await watchingNow(slow, wire);
  await watchingNow(quick, wire);
  slow.pause();
  await wire.ask({ allocate: { ...SMALL, name: 'busy' } });
  const claims = 2500;
  for (let made = 0; made < claims; made += AT_ONCE) {
    const ids: bigint[] = [];
    for (let i = 0; i < AT_ONCE; i += 1) wire.send({ claim: { allocation: { name: 'busy' }, kinds } });
    for (let i = 0; i < AT_ONCE; i += 1) {
      ids.push(dropped(await wire.next()).claim?.grants[0]?.id ?? 0n);
    }
    for (const grantId of ids) wire.send({ release: { grantId } });
    for (const _ of ids) await wire.next();
  }
  await wire.ask({ free: { allocation: { name: 'busy' } } });
  await quick.until((report) => nameOf(report) === 'FREED');
  t.equal(quick.reports.length, claims + 3, 'a watcher that reads receives everything');
  slow.resume();
  const ended = await slow.ended;
  t.match(ended, { code: 'UNAVAILABLE', reason: /^The watcher was 1024 events behind/ });
  t.ok(ended instanceof VkmemError);
  t.ok(slow.reports.length < claims, `it received ${slow.reports.length} events`);
  t.ok(gapless(slow), 'without a gap');
  quick.cancel();
  for (const control of [slowly, quickly]) control.close();
  wire.close();
});

t.test('a watch ends with its session and with the daemon; a user may have 64', async (t) => {
  const { runtimeDir, stop } = await startDaemon(t, { unchecked: true });
  const wire = await HandoffWire.open(runtimeDir);
  const mine = ControlWire.withToken(runtimeDir, wire.welcome.sessionToken);
  const ofSession = mine.watchAllocations();
  const control = new ControlWire(runtimeDir);
  const other = control.watchAllocations();
  const another = await HandoffWire.open(runtimeDir);
  await watchingNow(ofSession, another);
  await watchingNow(other, another);
  wire.close();
  t.match(await ofSession.ended, { code: 'SESSION_INVALID' });
  mine.close();
  await watchingNow(other, another);
  t.pass('a watch without that session continues');

  const more = new ControlWire(runtimeDir);
  const all = Array.from({ length: 63 }, () => more.watchAllocations());
  // The calls share one connection: when the last has started, all have.
  const last = all.at(-1);
  if (last) await watchingNow(last, another);
  const tooMany = new ControlWire(runtimeDir);
  const refused = await tooMany.watchAllocations().ended;
  t.match(refused, { code: 'UNAVAILABLE', reason: /64 allocation watches/ });
  all[0]?.cancel();
  // The daemon receives the cancellation on another connection, perhaps later.
  const admitted = await eventually(async () => {
    const watching = tooMany.watchAllocations();
    await watchingNow(watching, another);
    return watching;
  });
  t.pass('a new watch is admitted when one has ended');

  t.same(await stop(), { code: 0, signal: null });
  const reason = 'The daemon is stopping.';
  for (const watching of [other, admitted, ...all.slice(1)]) {
    t.match(await watching.ended, { code: 'UNAVAILABLE', reason });
  }
  for (const one of [control, more, tooMany]) one.close();
  another.close();
});

/** Retries a few times while it fails. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (failure) {
      if (tries === 5) throw failure;
    }
  }
}
