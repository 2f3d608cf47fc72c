/**
 * Lists of allocations: complete and sorted, of any length, and built in parts, between which other requests
 * are served.
 */
import { setImmediate } from 'node:timers/promises';
import { type Decoded, decode, NOTHING_HELD } from '@vkmemd/proto';
import t from 'tap';
import { byAge, type Position } from 'vkmemd/dist/memory/allocation/registry.js';
import type { Caller } from 'vkmemd/dist/memory/session/caller.js';
import type { ClientProcess } from 'vkmemd/dist/memory/session/client-process.js';
import type { Session } from 'vkmemd/dist/memory/session/session.js';
import { SortedList } from 'vkmemd/dist/memory/sorted-list.js';
import { ALLOCATIONS } from 'vkmemd/dist/requests/list-allocations.js';
import { type Page, partsOfPage } from 'vkmemd/dist/requests/page.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { ControlWire } from '../support/control-wire.js';
import { coreOn, handlersOf } from '../support/core.js';
import { ANYBODY, assertNoLeaks, driverUnderTest, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { LET_IN, peer, policyOf } from '../support/quotas.js';

process.env.VK_DRIVER_FILES ??= driverUnderTest();

const MANY = 150;
const ALL = decode('ListAllocationsRequest', Buffer.alloc(0));
const living = { pid: 0, exited: false, watch: () => NOTHING_HELD, closeUnwatched() {} };

t.test('a list is built in parts', async (t) => {
  const visible = Array.from({ length: MANY }, (_, at) => ({
    createdAt: at >> 1,
    serial: at,
    terms: {},
    charge: { state: 'live' },
    describe: () => ({ id: String(at) }) as Decoded<'Allocation'>,
  }));
  const list = new SortedList<Position, (typeof visible)[number]>(byAge);
  for (const each of visible) list.add(each);
  const all = { size: Number.POSITIVE_INFINITY, after: undefined };
  let gone = false;
  const caller = { identity: { uid: 1 }, gone: () => gone } as unknown as Caller;
  const ids: string[] = [];
  let turns = 0;
  const sizes: number[] = [];
  void (async () => {
    for (; sizes.length < 3; turns += 1) await setImmediate();
  })();
  const partsOf = (page: Page<Position>) =>
    partsOfPage(list, ALLOCATIONS, caller, page, ({ charge }) => charge.state !== 'settled');
  for await (const { items } of partsOf(all)) {
    sizes.push(items.length);
    ids.push(...items.map((item) => item.describe().id));
    const last = visible.at(-1);
    if (last) last.charge.state = 'settled';
  }
  t.ok(turns >= 2, 'other events are handled between two parts');
  t.ok(sizes.length > 2 && Math.max(...sizes) < 100, `parts of ${sizes.join(', ')}`);
  t.strictSame(ids, [...Array(MANY - 1).keys()].map(String), 'without the one that ended meanwhile');
  gone = true;
  await t.rejects(partsOf(all).next(), { code: 'UNAVAILABLE' });
});

t.test('a sorted list finds the items after a position', async (t) => {
  const list = new SortedList<{ readonly id: number }, { readonly id: number }>((a, b) => a.id - b.id);
  const items = [5, 1, 9, 3, 7].map((id) => ({ id }));
  for (const item of items) list.add(item);
  const idsAfter = (id: number | undefined, max: number) =>
    list.after(id === undefined ? undefined : { id }, max).map((item) => item.id);
  t.strictSame(idsAfter(undefined, 9), [1, 3, 5, 7, 9]);
  t.strictSame(idsAfter(3, 2), [5, 7]);
  t.strictSame(idsAfter(4, 1), [5], 'a position without an item');
  t.strictSame(idsAfter(9, 1), []);
  list.remove({ id: 5 });
  t.equal(list.size, 5, 'another object is not in the list');
  for (const item of items) list.remove(item);
  t.strictSame([list.size, list.last, [...list]], [0, undefined, []]);
  // Longer than a chunk, added and removed in another order than the list's.
  const many = Array.from({ length: 3000 }, (_, at) => ({ id: (at * 7919) % 3000 }));
  for (const item of many) list.add(item);
  const sorted = [...many].sort((one, other) => one.id - other.id);
  t.strictSame(list.toArray(), sorted);
  t.equal(list.last, sorted.at(-1));
  t.strictSame(list.after({ id: 500.5 }, 1500), sorted.slice(501, 2001), 'a page over several chunks');
  for (const item of many) if (item.id % 3 !== 0) list.remove(item);
  t.strictSame(
    [...list],
    sorted.filter(({ id }) => id % 3 === 0),
  );
  for (const item of many) list.remove(item);
  t.strictSame([list.size, list.toArray()], [0, []]);
});

/** The items of all pages, and the sizes of the pages. */
async function pagesOf<T>(
  page: (pageToken: string) => Promise<{ readonly items: readonly T[]; readonly nextPageToken: string }>,
): Promise<{ readonly all: T[]; readonly sizes: number[] }> {
  const all: T[] = [];
  const sizes: number[] = [];
  for (let token = '', more = true; more; more = token !== '') {
    const { items, nextPageToken } = await page(token);
    all.push(...items);
    sizes.push(items.length);
    token = nextPageToken;
  }
  return { all, sizes };
}

t.test('pages of allocations and of sessions', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const control = new ControlWire(runtimeDir);
  t.strictSame(await control.call('ListSessions', {}), { sessions: [], nextPageToken: '' });
  const wires = await Promise.all(Array.from({ length: 7 }, () => HandoffWire.open(runtimeDir)));
  const [wire, other] = wires;
  if (!wire || !other) throw new Error('no session');
  const ids: string[] = [];
  for (let i = 0; i < MANY; i += 1) {
    const { message } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } });
    ids.push(message.allocate?.allocation?.id ?? '');
  }
  const allocations = (pageSize: number) =>
    pagesOf(async (pageToken) => {
      const answer = await control.call('ListAllocations', { pageSize, pageToken });
      return { ...answer, items: answer.allocations.map(({ id }) => id) };
    });
  t.strictSame(await allocations(100), { all: ids, sizes: [100, 50] });
  t.strictSame(await allocations(64), { all: ids, sizes: [64, 64, 22] });
  t.strictSame(await allocations(75), { all: ids, sizes: [75, 75] }, 'a full page may be the last');
  t.strictSame(await allocations(7), { all: ids, sizes: [...Array(21).fill(7), 3] });
  t.strictSame(await allocations(100_000), { all: ids, sizes: [MANY] }, 'a larger size is lowered');
  t.strictSame(await allocations(0), { all: ids, sizes: [100, 50] }, 'without a size');
  const first = await control.call('ListAllocations', { pageSize: 3 });
  for (const id of ids.slice(0, 4)) await wire.ask({ free: { allocation: { id } } });
  const second = await control.call('ListAllocations', { pageSize: 1, pageToken: first.nextPageToken });
  t.strictSame(
    second.allocations.map(({ id, ownerSessionId }) => [id, ownerSessionId]),
    [[ids[4], wire.welcome.sessionId]],
    'a position stays valid without its allocation',
  );

  const sessions = (pageSize: number) =>
    pagesOf(async (pageToken) => {
      const answer = await control.call('ListSessions', { pageSize, pageToken });
      return { ...answer, items: answer.sessions };
    });
  const { all, sizes } = await sessions(3);
  t.strictSame(sizes, [3, 3, 1]);
  t.strictSame(
    all.map(({ id }) => id),
    wires.map(({ welcome }) => welcome.sessionId).sort((a, b) => Number(a - b)),
  );
  t.strictSame((await sessions(0)).all, all, 'the default holds them all');
  const uid = process.getuid?.() ?? -1;
  t.match(
    all.find(({ id }) => id === wire.welcome.sessionId),
    {
      ...{ tenant: { key: `uid:${uid}`, uid }, uid, gid: process.getgid?.(), pid: process.pid },
      ...{ clientName: 'test', allocations: MANY - 4, bytes: BigInt(MANY - 4) * 4096n, grants: 0 },
    },
  );
  for (const each of wires) each.close();
  control.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('pages of tickets, offers and quotas', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const control = new ControlWire(runtimeDir);
  const wire = await HandoffWire.open(runtimeDir);
  const allocate = async () =>
    (await wire.ask({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } })).message.allocate
      ?.allocation?.id ?? '';
  const [tickets, offers]: [string[], string[]] = [[], []];
  for (let at = 0; at < 7; at += 1) {
    const id = await allocate();
    const made = await wire.ask({
      createTicket: { allocation: { id }, validSeconds: 60 * (1 + ((at * 3) % 7)) },
    });
    tickets[(at * 3) % 7] = made.message.createTicket?.ticket?.id ?? '';
    await control.call('ServeIvshmem', { allocation: { id }, vectors: 1 });
    offers.push(id);
  }
  const ticketPages = (pageSize: number) =>
    pagesOf(async (pageToken) => {
      const answer = await control.call('ListTickets', { pageSize, pageToken });
      return { ...answer, items: answer.tickets.map(({ id }) => id) };
    });
  t.strictSame(await ticketPages(3), { all: tickets, sizes: [3, 3, 1] }, 'those that expire first');
  t.strictSame(await ticketPages(0), { all: tickets, sizes: [7] });
  const offerPages = (pageSize: number) =>
    pagesOf(async (pageToken) => {
      const answer = await control.call('ListIvshmem', { pageSize, pageToken });
      return { ...answer, items: answer.servers.map(({ allocationId }) => allocationId) };
    });
  t.strictSame(await offerPages(2), { all: offers, sizes: [2, 2, 2, 1] });
  const { nextPageToken } = await control.call('ListIvshmem', { pageSize: 2 });
  await control.call('StopIvshmem', { allocation: { id: offers[1] ?? '' } });
  t.match((await control.call('ListIvshmem', { pageSize: 1, pageToken: nextPageToken })).servers, [
    { allocationId: offers[2] },
  ]);
  const uids = [70_001, 70_002, 70_003];
  for (const uid of uids) {
    const { quota } = await control.call('GetQuota', { uid });
    await control.call('SetQuota', { uid, expectedRevision: quota?.revision ?? 0n, tickets: 1 });
  }
  const quotas = await pagesOf(async (pageToken) => {
    const answer = await control.call('ListQuotas', { pageSize: 2, pageToken });
    return { ...answer, items: answer.quotas.map(({ uid }) => uid) };
  });
  t.strictSame(quotas, { all: [process.getuid?.(), ...uids], sizes: [2, 2] });
  for (const uid of uids) {
    const { quota } = await control.call('GetQuota', { uid });
    await control.call('SetQuota', { uid, expectedRevision: quota?.revision ?? 0n, reset: true });
  }
  t.match(
    (await control.call('ListQuotas', {})).quotas.map(({ uid }) => uid),
    [process.getuid?.()],
  );
  wire.close();
  control.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('a page that no list has', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const control = new ControlWire(runtimeDir);
  const lists = ['ListAllocations', 'ListSessions', 'ListTickets', 'ListIvshmem', 'ListQuotas'] as const;
  for (const method of lists) {
    const refused = { code: 'INVALID_ARGUMENT' };
    await t.rejects(control.call(method, { pageSize: -1 }), refused);
    for (const pageToken of ['x', '1.x', '-1', ' 1']) {
      await t.rejects(control.call(method, { pageToken }), refused, `${method} ${pageToken}`);
    }
    t.match(await control.call(method, {}), { nextPageToken: '' });
  }
  control.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('a long list over gRPC', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  t.strictSame((await control.call('ListAllocations', {})).allocations, []);
  const made: string[] = [];
  for (let i = 0; i < MANY; i += 1) {
    const { message } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } });
    made.push(message.allocate?.allocation?.id ?? '');
  }
  const lists = await Promise.all(
    Array.from({ length: 50 }, () => control.call('ListAllocations', { pageSize: MANY })),
  );
  for (const { allocations } of lists) {
    t.strictSame(
      allocations.map(({ id }) => id),
      made,
    );
  }
  wire.close();
  control.close();
});

t.test('lists are made one at a time, and 64 of a session or a user wait', async (t) => {
  const device = await Device.open();
  const core = coreOn(device, { policy: policyOf([LET_IN]), faults: [] });
  t.teardown(() => device.close());
  const { ListAllocations } = handlersOf(core);
  const session = (uid: number) => core.lifecycle.begin(peer(uid), '', living as unknown as ClientProcess);
  const caller = (uid: number, of?: Session) => ({ identity: peer(uid), session: of, gone: () => false });
  const ask = async (who: ReturnType<typeof caller>) => void (await ListAllocations(who as Caller, ALL, []));
  let finish = (): void => {};
  const first = core.lists.run({ tenant: peer(9).tenant, session: undefined }, () => {
    return new Promise<void>((resolve) => {
      finish = resolve;
    });
  });
  const order: string[] = [];
  const asked: Promise<unknown>[] = [first];
  const waiting = (name: string, who: ReturnType<typeof caller>) => {
    for (let at = 0; at < 64; at += 1) asked.push(ask(who).then(() => order.push(name)));
  };
  const [one, other] = [session(1), session(1)];
  waiting('one', caller(1, one));
  await t.rejects(
    ask(caller(1, one)),
    { code: 'UNAVAILABLE', reason: /64 waiting/ },
    'one more of the session',
  );
  waiting('other', caller(1, other));
  waiting('another user', caller(2));
  await t.rejects(ask(caller(2)), { code: 'UNAVAILABLE', reason: /64 waiting/ }, 'one more of the user');
  t.strictSame(order, [], 'none begins while one is made');
  finish();
  await Promise.all(asked);
  const firsts = order.slice(0, 12);
  for (const name of ['one', 'other', 'another user'])
    t.ok(firsts.filter((each) => each === name).length >= 3, `${name} in ${firsts.join()}`);
  for (const each of [one, other]) await core.lifecycle.end(each);
});
