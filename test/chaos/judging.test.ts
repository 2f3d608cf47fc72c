/** The harness's judgement of latencies and accounts: correct ones, and each way in which they are wrong. */
import type { BudgetReport } from '@vkmemd/client';
import t from 'tap';
import { type Account, disagreements } from './account.js';
import { MISTAKEN_OF_RUN, maxByChance } from './chance.js';
import { Latencies, type Slow } from './latencies.js';
import { REQUESTS, type Request, type Sample } from './messages.js';
import { crowded, sharesBetween, ticks } from './processor.js';
import { growth } from './resident.js';
import { slowness } from './watch.js';

/**
 * This many of each request, one every 5 ms; each takes 100 us, but each `nth` ping or request takes longer.
 */
function samples(fromMs: number, count: number, slowUs = 100, slowPingUs = 100, nth = 20): Sample[] {
  const slow = (request: Request) => (request === 'ping' ? slowPingUs : slowUs);
  return Array.from({ length: count }, (_, i) =>
    REQUESTS.map((request): Sample => [request, fromMs + i * 5, i % nth === 0 ? slow(request) : 100]),
  ).flat();
}

/** One victim after a second without attack at 100 us. */
function afterQuiet(): Latencies {
  const latencies = new Latencies(1);
  latencies.add(0, samples(0, 200));
  latencies.settle(0, 1000);
  return latencies;
}

t.test('a latency above five times the quiet p99 is a violation', async (t) => {
  const good = afterQuiet();
  good.add(0, samples(10_000, 800, 480));
  t.strictSame(good.judge(14_000, [], false), [], 'less than five times as long');
  t.strictSame(good.windows, { judged: 1, stopped: 0, starved: 0, sparse: 0 });
  t.match(
    good.courses().find(({ request }) => request === 'claim'),
    { quietP99: 100, worstRatio: 4.8, worstP99: 480 },
  );

  t.strictSame(good.overall(), []);

  const bad = afterQuiet();
  bad.add(0, samples(10_000, 800, 520));
  const slow = bad.judge(14_000, [], false);
  t.strictSame(
    slow.map(({ request }) => request),
    ['allocate', 'claim', 'release', 'free', 'get', 'ticket', 'redeem'],
    'all requests, without the pings',
  );
  t.strictSame(slow[0], { victim: 0, request: 'allocate', requests: 800, slower: 40, pingRatio: 1 });
  t.match(slowness(slow[0] as Slow), /^40 of 800 times allocate of victim 0 .* p99 was 1\.0 times$/);
  t.strictSame(bad.overall()[0], { victim: 0, request: 'allocate', requests: 800, slower: 40 });
});

t.test('chance explains slow requests in one window, but not in all of them', async (t) => {
  const few = afterQuiet();
  few.add(0, samples(10_000, 1000, 520, 100, 40));
  t.strictSame(few.judge(14_000, [], false), [], '20 of 800');
  t.strictSame(few.judge(15_000, [], false), []);
  t.match(few.overall()[0], { requests: 1000, slower: 25 }, 'each counted once');

  const seldom = afterQuiet();
  seldom.add(0, samples(10_000, 800, 9000, 100, 100));
  t.strictSame(seldom.judge(14_000, [], false), [], 'one in a hundred');
  t.strictSame(seldom.overall(), []);

  t.strictSame(
    [100, 200, 800].map((requests) => maxByChance(requests)),
    [8, 12, 24],
  );
  t.strictSame(
    [200, 700, 1000].map((requests) => maxByChance(requests, MISTAKEN_OF_RUN)),
    [8, 16, 21],
  );
});

t.test('windows without information about the daemon are left out', async (t) => {
  const stopped = afterQuiet();
  stopped.add(0, samples(10_000, 800, 9000, 9000));
  t.strictSame(stopped.judge(14_000, [{ fromMs: 9000, toMs: 9600 }], false), [], 'directly after a stop');
  t.strictSame(stopped.windows, { judged: 0, stopped: 1, starved: 0, sparse: 0 });

  const starved = afterQuiet();
  starved.add(0, samples(10_000, 800, 9000, 9000));
  t.strictSame(starved.judge(14_000, [{ fromMs: 1, toMs: 2 }], false), [], 'an idle process was as slow');
  t.strictSame(starved.windows, { judged: 0, stopped: 0, starved: 1, sparse: 0 });

  const busy = afterQuiet();
  busy.add(0, samples(10_000, 800, 9000));
  t.strictSame(busy.judge(14_000, [], true), [], 'other processes used the machine');
  t.strictSame(busy.windows, { judged: 0, stopped: 0, starved: 1, sparse: 0 });

  const resting = afterQuiet();
  resting.add(0, samples(10_000, 20, 9000));
  t.strictSame(resting.judge(14_000, [], false), [], 'too few requests');
  t.strictSame(resting.windows, { judged: 0, stopped: 0, starved: 0, sparse: 1 });

  const few = new Latencies(1);
  few.add(0, samples(0, 20));
  t.throws(() => few.settle(0, 1000), /only 20 times allocate/);
});

t.test('the share of processor time of other processes', async (t) => {
  const before = { all: 1000, idle: 100, own: 50 };
  const shares = (idle: number, own: number) =>
    sharesBetween(before, { all: 1400, idle: 100 + idle, own: 50 + own });
  t.strictSame(shares(100, 300), { idle: 0.25, foreign: 0 });
  t.strictSame(shares(100, 100), { idle: 0.25, foreign: 0.5 });
  t.notOk(crowded(shares(100, 100)), 'some time was idle');
  t.notOk(crowded(shares(0, 400)), 'the time was our own');
  t.ok(crowded(shares(20, 280)), 'others used a quarter, and none was idle');

  const [one, began] = [ticks(), process.cpuUsage()];
  while (process.cpuUsage(began).user < 200_000);
  const other = ticks();
  t.ok(other.own - one.own >= 10, `${other.own - one.own} ticks of 10 ms are our own after 200 ms of work`);
  t.ok(other.all - one.all >= other.own - one.own, 'the total grew at least as much');
});

const HEAP = { liveBytes: 8192n, drainingBytes: 4096n, reservedBytes: 0n, guaranteedBytes: 5000n };
const COUNTS = { sessions: 2, allocations: 2, drainingAllocations: 1, grants: 1, fds: 2, deviceMemories: 2 };
const MAPPABLE = { kinds: ['KIND_MAPPABLE'], imported: false, sizeBytes: 4096n, ownerUid: 1000 };

/** The quota of a user that has everything, and of one that has nothing and 5000 bytes reserved. */
const quotas = (heap: object = {}, allocations = 3, tickets = 2) => [
  {
    uid: 1000,
    heaps: [{ usedBytes: 12_288n, reservedBytes: 100n, ...heap }],
    allocations: { used: allocations },
    tickets: { used: tickets },
  },
  {
    uid: 1001,
    heaps: [{ usedBytes: 0n, reservedBytes: 5000n }],
    allocations: { used: 0 },
    tickets: { used: 0 },
  },
];

/** Two memfds and the memory of a dma-buf, two sessions, a connection without a Hello, and the auditor. */
function account(changes: object = {}, counts: object = {}, heap: object = {}): Account {
  const budget = {
    heaps: [{ ...HEAP, ...heap }],
    counts: { ...COUNTS, ...counts },
  } as unknown as BudgetReport;
  return {
    budget,
    allocations: [MAPPABLE, MAPPABLE, { ...MAPPABLE, kinds: ['KIND_DMA_BUF'] }],
    quotas: quotas(),
    tickets: 2,
    memory: [
      { inode: 1n, size: 4096n, allocated: 4096n },
      { inode: 2n, size: 4096n, allocated: 0n },
    ],
    sockets: 6,
    pidfds: 3,
    others: 16,
    handoff: 3,
    control: 1,
    ...changes,
  } as unknown as Account;
}

t.test('an account reports each inconsistency', async (t) => {
  const begin = { sockets: 3, pidfds: 0, others: 16 };
  t.strictSame(disagreements(account(), begin), [], 'a consistent account');
  const wrong: [Account, RegExp][] = [
    [account({}, {}, { liveBytes: 0n }), /bytes charged, and bytes of allocations: 4096 and 12288/],
    [account({}, {}, { reservedBytes: 1n }), /reserved/],
    [account({}, { allocations: 3 }), /allocations counted, and listed: 4 and 3/],
    [account({}, { fds: 3 }), /fds counted, and memfds in \/proc: 3 and 2/],
    [account({ memory: [{ size: 4096n }, { size: 8192n }] }), /mappable allocations, and of memfds/],
    [account({ memory: [{ size: 4096n, allocated: 8192n }, { size: 4096n }] }), /more than its size/],
    [account({ sockets: 8 }), /sockets, and connections: 5 and 3/],
    [account({ pidfds: 2 }), /2 pidfds of 3 connections/],
    [account({ quotas: quotas({ usedBytes: 8192n }) }), /bytes on the quota of user 1000.*: 8192 and 12288/],
    [account({ quotas: quotas({}, 2) }), /allocations on the quota of user 1000, and its own: 2 and 3/],
    [account({ quotas: quotas({}, 3, 1) }), /tickets on quotas, and listed: 1 and 2/],
    [account({}, {}, { guaranteedBytes: 0n }), /bytes guaranteed, and .*: 0 and 5000/],
    [account({ others: 17 }), /other fds, and those at the start: 17 and 16/],
    [account({}, { sessions: 4 }), /4 sessions on 3 connections/],
  ];
  for (const [looked, text] of wrong) {
    const found = disagreements(looked, begin);
    t.equal(found.length, 1, String(text));
    t.match(found[0], text);
  }
});

t.test('growth of resident memory above a tenth is reported', async (t) => {
  const resident = (total: number) => ({
    ...{ total, anonymous: total, file: 0, shared: 0 },
    ...{ v8Heap: 0, v8External: 0, mallocUsed: 0, mallocFree: 0 },
  });
  t.equal(growth(resident(1000), resident(1100)), undefined);
  t.match(growth(resident(1000), resident(1101)), /grew from 1000 kB .* to 1101 kB/);
});
