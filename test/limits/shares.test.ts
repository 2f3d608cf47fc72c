/**
 * The counts behind the limits: shares with a reserved quarter, the fd budget, fds in flight, token buckets.
 */
import t from 'tap';
import { FdBudget } from 'vkmemd/dist/limits/fd-budget.js';
import { InFlightFdsPool } from 'vkmemd/dist/limits/in-flight-fds.js';
import { Shares } from 'vkmemd/dist/limits/shares.js';
import { TokenBucket } from 'vkmemd/dist/limits/token-bucket.js';
import { tenantOfUid as tenant } from 'vkmemd/dist/policy/tenant.js';

t.test('one user cannot take the last quarter', async (t) => {
  const shares = new Shares(() => 32);
  const mine = Array.from({ length: 24 }, () => shares.take(tenant(1), 1));
  t.ok(mine.every((taken) => typeof taken === 'object'));
  t.equal(shares.take(tenant(1), 1), 'user', 'the last quarter is reserved for others');
  t.equal(shares.maxOf(tenant(1)), 24);
  for (let uid = 2; uid < 5; uid += 1) {
    t.type(shares.take(tenant(uid), 2), 'object', 'users without a share get some');
    t.equal(shares.take(tenant(uid), 1), 'user', 'but few');
  }
  t.type(shares.take(tenant(9), 2), 'object');
  t.equal(shares.take(tenant(9), 1), 'daemon', 'until nothing is left');
  const [first, second] = mine;
  if (typeof first === 'object') {
    first[Symbol.dispose]();
    first[Symbol.dispose]();
  }
  t.equal(shares.total, 31, 'a share that is released twice is counted once');
  t.equal(shares.take(tenant(1), 1), 'user', 'it is available to others only');
  t.type(shares.take(tenant(8), 1), 'object');
  if (typeof second === 'object') second[Symbol.dispose]();
  t.equal(shares.of(tenant(1)), 22);
});

t.test(
  'existing usage is counted, and nothing is granted until the usage is below the capacity',
  async (t) => {
    const shares = new Shares(() => 8);
    const [max, rest] = [shares.count(tenant(1), 7), shares.count(tenant(1), 3)];
    t.equal(shares.of(tenant(1)), 10);
    t.equal(shares.take(tenant(2), 1), 'daemon');
    max[Symbol.dispose]();
    max[Symbol.dispose]();
    t.equal(shares.total, 3);
    t.type(shares.take(tenant(2), 1), 'object');
    rest[Symbol.dispose]();
    const fds = new FdBudget({ max: 256, open: 20 }, 32);
    const outlived = fds.count(tenant(1), 1000);
    t.throws(() => fds.lease(tenant(2), 1), { code: 'TOO_MANY_FILES' });
    outlived[Symbol.dispose]();
    fds.lease(tenant(2), 1)[Symbol.dispose]();
  },
);

t.test('the capacity can change', async (t) => {
  let capacity = 8;
  const shares = new Shares(() => capacity);
  const six = shares.take(tenant(1), 6);
  capacity = 4;
  t.equal(shares.take(tenant(2), 1), 'daemon');
  if (typeof six === 'object') six[Symbol.dispose]();
  t.type(shares.take(tenant(2), 1), 'object');
  t.strictSame([shares.total, shares.of(tenant(1))], [1, 0]);
});

t.test('the fd budget follows RLIMIT_NOFILE', async (t) => {
  const small = new FdBudget({ max: 64, open: 22 }, 32);
  t.equal(small.limitFor(1_000_000), undefined, 'no service may have so many');
  for (const sessions of [1, 500, 10_000, 50_000]) {
    const max = small.limitFor(sessions) ?? 0;
    t.equal(max % 1024, 0);
    t.ok(new FdBudget({ max, open: 22 }, 32).maxSessions >= sessions, `${max} suffices for ${sessions}`);
    t.ok(new FdBudget({ max: max - 1024, open: 22 }, 32).maxSessions < sessions, 'and less does not');
  }
  t.equal(small.capacity, 64 - 22 - 3 - 10 - small.inHand * 4, 'a small limit has a small reserve');
  t.ok(small.capacity >= 20 && small.inHand >= 1);
  const large = new FdBudget({ max: 65_536, open: 22 }, 32);
  t.equal(large.capacity, 65_536 - 22 - 3 - 32 - 9 * 4);
  t.ok(large.maxSessions >= 10_000, 'the service has fds for 10 000 sessions');
  const none = new FdBudget({ max: 32, open: 30 }, 32);
  t.equal(none.capacity, 0);
  t.throws(() => none.lease(tenant(1), 1), {
    code: 'TOO_MANY_FILES',
    metadata: { limit: '0', whose: 'daemon' },
  });
  const taken: Disposable[] = [];
  t.throws(
    () => {
      for (;;) taken.push(small.lease(tenant(1), 1));
    },
    { code: 'TOO_MANY_FILES', metadata: { whose: 'user' } },
  );
  t.equal(small.leased, Math.ceil((small.capacity * 3) / 4));
  small.lease(tenant(2), 4)[Symbol.dispose]();
  for (const lease of taken) lease[Symbol.dispose]();
  t.equal(small.leased, 0);
});

t.test("fds in flight never exceed the kernel's limit", async (t) => {
  const pool = new InFlightFdsPool(64);
  t.equal(pool.maxSessions, 16);
  const join = (uid: number) => {
    const joined = pool.join(tenant(uid));
    return typeof joined === 'string' ? undefined : joined;
  };
  const greedy = join(1);
  t.equal(greedy?.allowance, 4);
  t.equal(greedy?.raise(16), true);
  t.equal(greedy?.raise(21), false, "a user may borrow at most a quarter beyond its sessions' own");
  t.equal(greedy?.allowance, 16, 'its allowance is unchanged');
  greedy?.lower(9);
  t.equal(greedy?.allowance, 9);
  greedy?.lower(1);
  t.equal(greedy?.allowance, 4, 'never less than one message');
  for (const uid of [1, 2, 3]) join(uid)?.raise(16);
  t.equal(pool.promised, 40, 'the shared half is used up before the third');
  while (join(4)) t.ok(pool.promised <= 64, `${pool.promised} are reserved`);
  t.equal(pool.promised, 64, 'each session has the allowance of one message');
  t.equal(pool.join(tenant(5)), 'daemon', 'nothing is left');
  t.equal(greedy?.raise(5), false, 'and none may borrow more');
  greedy?.[Symbol.dispose]();
  greedy?.[Symbol.dispose]();
  t.equal(pool.promised, 60);
});

t.test('a large part borrows what is left, and less while another tenant waits', async (t) => {
  const pool = new InFlightFdsPool(4096);
  const join = (uid: number) => {
    const joined = pool.join(tenant(uid));
    if (typeof joined === 'string') throw new Error(joined);
    return joined;
  };
  const greedy = [1, 1, 1, 1, 1].map(join);
  for (const each of greedy) t.equal(each.raise(253, 4), true);
  const borrowed = () => greedy.map(({ allowance }) => allowance);
  t.strictSame(borrowed(), [253, 253, 253, 253, 32], 'a quarter of the capacity, which the last one uses up');
  const hungry = [2, 3].map(join);
  t.equal(hungry[0]?.raise(1024, 4), true);
  t.equal(hungry[1]?.raise(1024, 1024), false, 'the common half is used up');
  t.equal(hungry[1]?.allowance, 4);
  for (const each of greedy) each.lower(0);
  t.strictSame(borrowed(), [4, 4, 4, 4, 4]);
  for (const each of greedy) each.raise(253, 4);
  t.strictSame(borrowed(), [253, 253, 12, 4, 4], 'two messages while another tenant waits');
  t.equal(hungry[1]?.raise(253, 253), true, 'which then has room');
  for (const each of [...greedy, ...hungry]) each[Symbol.dispose]();
  t.equal(pool.promised, 0);
});

t.test('one user does not get all the room for sessions, at any limit of files', (t) => {
  for (const files of [256, 1024, 4096, 40_000]) {
    const pool = new InFlightFdsPool(files);
    let joined = 0;
    while (typeof pool.join(tenant(1)) !== 'string') joined += 1;
    t.equal(pool.join(tenant(1)), 'user', `${files} files: the user has its share`);
    t.equal(joined, Math.ceil((pool.maxSessions * 3) / 4));
    for (let few = Math.floor(pool.maxSessions / 16); few > 0; few -= 1) {
      t.not(typeof pool.join(tenant(2)), 'string', 'another one begins');
    }
  }
  t.end();
});

t.test('a token bucket delays, refuses and refills', async (t) => {
  const reading = new TokenBucket(1000, 3, 0);
  t.strictSame([reading.take(1, 0), reading.take(1, 0)], [0, 0]);
  t.equal(reading.take(1, 0), 1, 'the bucket is empty: the next token comes in 1 ms');
  t.equal(reading.take(1, 0), 2, 'a debt takes longer');
  t.equal(reading.take(1, 100), 0, 'it is paid off');
  t.strictSame([reading.take(1, 100), reading.take(1, 100)], [0, 1], 'it holds at most the burst');
  const refusing = new TokenBucket(1000, 2, 0);
  t.strictSame(
    [1, 2, 3, 4].map(() => refusing.tryTake(1, 0)),
    [0, 0, 1, 1],
    'a refusal takes no token',
  );
  t.equal(refusing.tryTake(1, 1), 0);
  t.equal(reading.take(3, 200), 1, 'a request takes what it costs');
  t.equal(refusing.tryTake(100, 50), 0, 'and may leave a debt');
  t.ok(refusing.tryTake(1, 60) > 10, 'which is paid off first');
});
