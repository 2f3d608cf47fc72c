/**
 * Watches of the budget on a scripted query: the recipients and times of reports, that queries never overlap,
 * and that nothing is left when the last watcher has ended.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { type BudgetReport, BudgetWatch } from 'vkmemd/dist/memory/watch/watch.js';
import { makeIdentity } from 'vkmemd/dist/policy/identity.js';

/** A report that differs from others by one number. */
const report = (sessions: number): BudgetReport => ({
  heaps: [],
  counts: {
    sessions,
    allocations: 0,
    drainingAllocations: 0,
    grants: 0,
    fds: 0,
    deviceMemories: 0,
    semaphores: 0,
  },
  pressure: 'PRESSURE_NORMAL',
});

const identity = (uid: number) => makeIdentity({ uid, gid: uid, pid: 1, groups: [] });
const caller = (uid = 1) => ({ identity: identity(uid), session: undefined, gone: () => false });

/** A watch on a number that a test sets. */
function scripted(takesMs = 0) {
  const state = {
    value: 0,
    looks: 0,
    looking: 0,
    overlapped: false,
    failure: undefined as Error | undefined,
  };
  const watch = new BudgetWatch(async () => {
    state.looks += 1;
    state.overlapped ||= state.looking > 0;
    state.looking += 1;
    if (takesMs > 0) await delay(takesMs);
    state.looking -= 1;
    if (state.failure) throw state.failure;
    return report(state.value);
  });
  return { state, watch };
}

/** Collects the reports of a watcher until its signal aborts. Resolves to its error. */
async function collect(
  watch: BudgetWatch,
  signal: AbortSignal,
  reported: (value: number) => void | Promise<void>,
  who: Parameters<BudgetWatch['follow']>[0] = caller(),
): Promise<unknown> {
  // The watchers of a test share one signal.
  setMaxListeners(0, signal);
  try {
    for await (const { counts } of watch.follow(who, signal)) await reported(counts?.sessions ?? -1);
  } catch (failure) {
    return failure;
  }
  throw new Error('a stream ended without an error');
}

const gone = new VkmemError('UNAVAILABLE', 'gone');

t.test('a watcher receives the state at once, then each change, then the reason of the end', async (t) => {
  const { state, watch } = scripted();
  const end = new AbortController();
  const reported: number[] = [];
  const ended = collect(watch, end.signal, (value) => void reported.push(value));
  await delay(20);
  t.strictSame(reported, [0], 'at once');
  t.ok(watch.ticking);
  await delay(300);
  t.strictSame(reported, [0], 'nothing without a change');
  state.value = 1;
  await delay(150);
  t.strictSame(reported, [0, 1]);
  end.abort(gone);
  t.equal(await ended, gone);
  t.equal(watch.size, 0);
  t.notOk(watch.ticking, 'the timer has stopped');
  const { looks } = state;
  await delay(250);
  t.equal(state.looks, looks, 'no further queries');
});

t.test('at most 10 reports a second, with one query for all watchers at a time', async (t) => {
  const { state, watch } = scripted();
  const end = new AbortController();
  const churn = setInterval(() => {
    state.value += 1;
  }, 1);
  const times: number[][] = [];
  const ends = [];
  for (let i = 0; i < 5; i += 1) {
    const mine: number[] = [];
    times.push(mine);
    ends.push(collect(watch, end.signal, () => void mine.push(performance.now()), caller(i)));
    await delay(37);
  }
  await delay(1500);
  clearInterval(churn);
  end.abort(gone);
  await Promise.all(ends);
  for (const mine of times) {
    t.ok(mine.length >= 8, `${mine.length} messages`);
    // The tenth message after any message comes no sooner than a second later, within the precision of the
    // timestamps.
    const windows = mine.flatMap((at, index) => (mine[index + 10] ?? Number.POSITIVE_INFINITY) - at);
    t.ok(Math.min(...windows) > 980, `10 took ${Math.min(...windows)} ms`);
  }
  t.ok(state.looks <= 5 + 17, `${state.looks} queries for five watchers`);
  t.notOk(state.overlapped);
  t.equal(watch.size, 0);
});

t.test('a slow watcher receives the latest state, and no state twice', async (t) => {
  const { state, watch } = scripted();
  const end = new AbortController();
  const reported: number[] = [];
  const ended = collect(watch, end.signal, async (value) => {
    reported.push(value);
    if (reported.length < 3) await delay(500);
  });
  for (let i = 1; i <= 5; i += 1) {
    await delay(70);
    state.value = i;
  }
  await delay(400);
  t.strictSame(reported, [0, 5], 'intermediate states are skipped');
  state.value = 6;
  await delay(150);
  state.value = 5;
  await delay(600);
  t.strictSame(reported, [0, 5], 'a state that equals the last report is no change');
  end.abort(gone);
  await ended;
  t.notOk(watch.ticking);
});

t.test('watchers share a slow query', async (t) => {
  const { state, watch } = scripted(250);
  const first = new AbortController();
  const second = new AbortController();
  const reported: number[] = [];
  const one = collect(watch, first.signal, (value) => void reported.push(value));
  const two = collect(watch, second.signal, () => {});
  await delay(300);
  t.strictSame(reported, [0]);
  t.equal(state.looks, 1, 'both had one query');
  await delay(100);
  t.equal(state.looking, 1, 'the next is in progress');
  first.abort(gone);
  t.equal(await one, gone, 'a watcher that ended does not wait for it');
  second.abort(gone);
  await two;
  t.equal(watch.size, 0);
  const third = new AbortController();
  const retried = collect(watch, third.signal, () => {});
  await delay(800);
  third.abort(gone);
  await retried;
  await delay(300);
  t.notOk(state.overlapped, 'a new watcher uses its answer');
  t.ok(state.looks <= 5, `${state.looks} queries`);
  t.notOk(watch.ticking, 'an answer without watchers starts nothing');
});

t.test('a failed query ends all watches', async (t) => {
  const { state, watch } = scripted();
  const { signal } = new AbortController();
  const ends = [1, 2, 3].map((uid) => collect(watch, signal, () => {}, caller(uid)));
  await delay(50);
  state.failure = new Error('broken');
  t.strictSame(await Promise.all(ends), [state.failure, state.failure, state.failure]);
  t.equal(await collect(watch, signal, () => {}), state.failure, 'the next one too');
  t.equal(watch.size, 0);
  t.notOk(watch.ticking);
});

t.test('a watch with an ended session or an aborted signal ends at once', async (t) => {
  const { watch } = scripted();
  const session = { ended: false };
  const who = { ...caller(), session } as unknown as ReturnType<typeof caller>;
  const { signal } = new AbortController();
  const ended = collect(watch, signal, () => {}, who);
  await delay(50);
  session.ended = true;
  t.match(await ended, { code: 'SESSION_INVALID' });
  const reported: number[] = [];
  t.equal(await collect(watch, AbortSignal.abort(gone), (value) => void reported.push(value)), gone);
  t.strictSame(reported, []);
  t.equal(watch.size, 0);
});

t.test('the number of watches of one user is limited', async (t) => {
  const { watch } = scripted();
  const end = new AbortController();
  const ends = Array.from({ length: 64 }, () => collect(watch, end.signal, () => {}));
  await delay(20);
  t.equal(watch.size, 64);
  t.match(await collect(watch, end.signal, () => {}), { code: 'UNAVAILABLE' });
  const other = collect(watch, end.signal, () => {}, caller(2));
  await delay(20);
  t.equal(watch.size, 65, 'another user is not affected');
  end.abort(gone);
  await Promise.all([...ends, other]);
  t.equal(watch.size, 0);
  const later = new AbortController();
  const retried = collect(watch, later.signal, () => {});
  await delay(20);
  t.equal(watch.size, 1, 'ended watches are not counted');
  later.abort(gone);
  await retried;
});
