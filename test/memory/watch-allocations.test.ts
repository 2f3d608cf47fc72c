/**
 * Watches of allocations without a daemon: the limits of queued events, changes before an allocation is
 * reported, and that nothing is subscribed without a watcher.
 */
import t from 'tap';
import type { Allocation } from 'vkmemd/dist/memory/allocation/allocation.js';
import { type AllocationEvent, publishEvent } from 'vkmemd/dist/memory/allocation/events.js';
import { byAge, type Position } from 'vkmemd/dist/memory/allocation/registry.js';
import type { Owned } from 'vkmemd/dist/memory/authority.js';
import { eventChannel } from 'vkmemd/dist/memory/event-channel.js';
import type { SessionEvent } from 'vkmemd/dist/memory/session/events.js';
import type { Session } from 'vkmemd/dist/memory/session/session.js';
import { SortedList } from 'vkmemd/dist/memory/sorted-list.js';
import { AllocationWatch } from 'vkmemd/dist/memory/watch/watch-allocations.js';
import { tenantOfUid as tenant } from 'vkmemd/dist/policy/tenant.js';
import { user } from './ticket-table.js';

let serial = 0;

/** The parts of an allocation that a watch needs; each is younger than those before. */
function fake(name: string, ownerUid = 1, state = 'LIVE'): Allocation {
  serial += 1;
  const parts = { terms: { tenant: tenant(ownerUid) }, describe: () => ({ name, state }) };
  return { ...parts, createdAt: 0, serial } as unknown as Allocation;
}

/** A watch in which users see their own allocations. */
function watchOf(...existing: Allocation[]) {
  const may = ({ uid }: { uid: number }, _purpose: unknown, { tenant: owner }: Owned) => uid === owner.uid;
  const registry = new SortedList<Position, Allocation>(byAge);
  for (const one of existing) registry.add(one);
  const allocationEvents = eventChannel<AllocationEvent>('allocation');
  const sessionEvents = eventChannel<SessionEvent>('session');
  const watch = new AllocationWatch({
    ...{ authority: { may }, registry, allocationEvents, sessionEvents },
  } as unknown as ConstructorParameters<typeof AllocationWatch>[0]);
  const { signal } = new AbortController();
  const follow = (uid = 1, from = false, session?: Session) =>
    watch.follow({ identity: user(uid), session, gone: () => false }, from, signal);
  const endOf = (session: Session) => sessionEvents.publish({ event: 'ENDED', session });
  const free = (allocation: Allocation) => {
    registry.remove(allocation);
    publishEvent(allocationEvents, 'FREED', allocation);
  };
  return { events: allocationEvents, sessionEvents, endOf, watch, follow, free };
}

type Stream = ReturnType<AllocationWatch['follow']>;
/** The next event of a stream, as text. */
const next = async (stream: Stream): Promise<string> => {
  const { value } = await stream.next();
  return `${value.sequence} ${String(value.event).replace('ALLOCATION_EVENT_', '')} ${value.allocation?.name}`;
};
/** Starts a stream: its queue begins with the first event. */
const begun = (stream: Stream) => next(stream);

t.test(
  'each daemon and each user has separate events, and nothing is subscribed without a watcher',
  async (t) => {
    const own = watchOf();
    const { events, watch, follow } = own;
    const other = watchOf();
    const listening = () =>
      [own, other].some((each) => each.events.hasSubscribers || each.sessionEvents.hasSubscribers);
    t.notOk(listening());
    const [mine, theirs, elsewhere] = [follow(1), follow(2), other.follow(1)];
    const [first, second, third] = [begun(mine), begun(theirs), begun(elsewhere)];
    t.ok(listening());
    t.same([watch.size, other.watch.size], [2, 1]);
    publishEvent(events, 'CREATED', fake('a', 1));
    publishEvent(other.events, 'CREATED', fake('b', 1));
    publishEvent(events, 'CREATED', fake('c', 2));
    t.same(await Promise.all([first, second, third]), ['1 CREATED a', '1 CREATED c', '1 CREATED b']);
    for (const stream of [mine, theirs, elsewhere]) await stream.return(undefined as never);
    t.same([watch.size, other.watch.size], [0, 0]);
    t.notOk(listening());
  },
);

t.test('an existing allocation is reported in its current state, without its earlier events', async (t) => {
  const all = ['a', 'b', 'c', 'd'].map((name) => fake(name));
  const [a, b, c, d] = all as [Allocation, Allocation, Allocation, Allocation];
  const { events, follow, free } = watchOf(...all);
  const stream = follow(1, true);
  t.equal(await next(stream), '1 CREATED a');
  publishEvent(events, 'DRAINING', a);
  publishEvent(events, 'DRAINING', b);
  publishEvent(events, 'DRAINING', c);
  free(c);
  publishEvent(events, 'CREATED', fake('e'));
  t.equal(await next(stream), '2 CREATED b', 'it drains, and is described so');
  free(b);
  t.equal(await next(stream), '3 CREATED d', 'one that has ended is left out');
  t.same(
    [await next(stream), await next(stream), await next(stream)],
    ['4 DRAINING a', '5 CREATED e', '6 FREED b'],
    'then the changes that followed, in order',
  );
  free(d);
  t.equal(await next(stream), '7 FREED d');
  await stream.return(undefined as never);
});

t.test('existing allocations of others, thousands, are passed over in parts', async (t) => {
  const others = Array.from({ length: 2000 }, (_, at) => fake(`other ${at}`, 2));
  const { follow, events, free } = watchOf(...others, fake('own'));
  const stream = follow(1, true);
  const first = next(stream);
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  publishEvent(events, 'CREATED', fake('later'));
  t.equal(await first, '1 CREATED own');
  t.ok(turned, 'other work has had a turn');
  t.equal(await next(stream), '2 CREATED later', 'an event meanwhile follows');
  const last = others.at(-1) as Allocation;
  const theirs = follow(2, true);
  for (let at = 0; at < 1999; at += 1) t.equal(await next(theirs), `${at + 1} CREATED other ${at}`);
  free(last);
  const then = next(theirs);
  const one = fake('one more', 2);
  publishEvent(events, 'CREATED', one);
  t.equal(await then, '2000 CREATED one more', 'the last existing one has ended');
  for (const each of [stream, theirs]) await each.return(undefined as never);
});

t.test('the number of queued events is limited for each watch and for each user', async (t) => {
  const { events, watch, follow } = watchOf();
  const allocation = fake('x');
  const publish = (times: number, of = allocation) => {
    for (let i = 0; i < times; i += 1) publishEvent(events, 'GRANTED', of);
  };
  const behind = { code: 'UNAVAILABLE', reason: /1024 events behind/ };
  const one = follow();
  const started = begun(one);
  publish(1);
  await started;
  publish(1024);
  t.equal(await next(one), '2 GRANTED x', 'the maximum number');
  publish(2);
  await t.rejects(one.next(), behind, 'one more');
  t.equal(watch.size, 0);

  const slow = Array.from({ length: 8 }, () => follow());
  const begins = slow.map(begun);
  publish(1);
  await Promise.all(begins);
  publish(1000);
  const quick = follow();
  const reading = begun(quick);
  const unlisted = follow(2);
  const strange = begun(unlisted);
  publish(22);
  t.equal(await reading, '1 GRANTED x');
  publish(1);
  publish(1, fake('y', 2));
  t.equal(await strange, '1 GRANTED y', 'another user has a limit of its own');
  const ends = await Promise.all(
    slow.map((stream) => next(stream).catch(({ code, reason }) => `${code} ${reason}`)),
  );
  const ended = ends.filter((end) => end.startsWith('UNAVAILABLE'));
  t.equal(ended.length, 1, 'when a user has too many, the watch with the longest queue ends');
  t.match(ended[0], /The watcher was 10\d\d events behind/);
  for (let at = 2; at <= 23; at += 1) await quick.next();
  publish(1);
  t.equal(await next(quick), '24 GRANTED x', 'not one that reads its events');
  for (const stream of [...slow, quick, unlisted]) await stream.return(undefined as never);
  t.equal(watch.size, 0);
});

t.test('a watch ends with its session, without its queued events', async (t) => {
  const { endOf, follow } = watchOf();
  const session = { identity: user(1), ended: false } as unknown as Session;
  const another = { identity: user(1), ended: false } as unknown as Session;
  const stream = follow(1, false, session);
  const waiting = stream.next();
  endOf(another);
  endOf(session);
  await t.rejects(waiting, { code: 'SESSION_INVALID' });
  const late = follow(1, false, { ...session, ended: true } as Session);
  await t.rejects(late.next(), { code: 'SESSION_INVALID' }, 'a session that ended before');
});
