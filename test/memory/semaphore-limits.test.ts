/** The limits of semaphores, and of the requests that wait for them. */
import { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { FdBudget } from 'vkmemd/dist/limits/fd-budget.js';
import { Authority } from 'vkmemd/dist/memory/authority.js';
import { Semaphore, type SemaphoreTerms } from 'vkmemd/dist/memory/semaphore/semaphore.js';
import { Semaphores } from 'vkmemd/dist/memory/semaphore/semaphores.js';
import { SemaphoreWaits } from 'vkmemd/dist/memory/semaphore/waits.js';
import type { Caller } from 'vkmemd/dist/memory/session/caller.js';
import { Session } from 'vkmemd/dist/memory/session/session.js';
import { tenantOfUid } from 'vkmemd/dist/policy/tenant.js';
import type { DeviceSemaphore } from 'vkmemd/dist/vulkan/device.js';
import { LET_IN, policyOf } from '../support/quotas.js';

const OF_SESSION = 64;
const OF_TENANT = 1024;
const OF_ALL = 8192;

const identityOf = (uid: number) => ({ uid, gid: uid, pid: 1, groups: [], tenant: tenantOfUid(uid) });
const sessionOf = (uid: number, id = 1n) => new Session(id, identityOf(uid), '', '');
const refused = (work: () => unknown): VkmemError | undefined => {
  try {
    work();
  } catch (failure) {
    return failure as VkmemError;
  }
  return undefined;
};

t.test('semaphores of a session, of a tenant and in all', async (t) => {
  const semaphores = new Semaphores(
    new Authority(policyOf([LET_IN])),
    new FdBudget({ max: 100_000, open: 10 }, 32),
  );
  const held: Disposable[] = [];
  const take = (uid: number, session?: Session) => {
    held.push(semaphores.take(tenantOfUid(uid), session, false));
  };
  const session = sessionOf(1);
  for (let n = 0; n < OF_SESSION; n += 1) take(1, session);
  t.match(
    refused(() => take(1, session)),
    { code: 'QUOTA_EXCEEDED', metadata: { whose: 'session', limit: '64' } },
  );
  held[0]?.[Symbol.dispose]();
  take(1, session);
  t.pass('a freed one makes room');
  for (let n = OF_SESSION; n < OF_TENANT; n += 1) take(1);
  t.match(
    refused(() => take(1)),
    { code: 'QUOTA_EXCEEDED', metadata: { whose: 'user', limit: '1024' } },
  );
  let all = OF_TENANT;
  let last: VkmemError | undefined;
  for (let uid = 2; last === undefined && uid < 100; uid += 1) {
    last = refused(() => {
      for (let n = 0; n < OF_TENANT; n += 1, all += 1) take(uid);
    });
  }
  t.match(last, { code: 'QUOTA_EXCEEDED', metadata: { whose: 'user' } });
  t.ok(all <= OF_ALL, `${all} in all`);
  take(1000);
  t.pass('a tenant with none still gets one');
  for (const each of held) each[Symbol.dispose]();
  take(1, session);
  t.pass('all places are free again');
});

t.test('an exported semaphore leases an fd', async (t) => {
  const fds = new FdBudget({ max: 1024, open: 10 }, 32);
  const semaphores = new Semaphores(new Authority(policyOf([LET_IN])), fds);
  const held = [semaphores.take(tenantOfUid(1), undefined, false)];
  t.equal(fds.leased, 0);
  held.push(semaphores.take(tenantOfUid(1), undefined, true));
  t.equal(fds.leased, 1);
  const full = refused(() => {
    for (let n = 0; n < OF_TENANT; n += 1) held.push(semaphores.take(tenantOfUid(1), undefined, true));
  });
  t.match(full, { code: 'TOO_MANY_FILES' });
  for (const each of held) each[Symbol.dispose]();
  t.equal(fds.leased, 0, 'and gives it back');
});

/** A device whose counters the test sets. */
class Counters {
  readonly #counters = new Map<unknown, bigint>();
  calls = 0;
  mostAtOnce = 0;
  #now = 0;

  semaphore(): Semaphore {
    const device = { free: async () => {} } as unknown as DeviceSemaphore;
    this.#counters.set(device, 0n);
    const terms = { type: 'TIMELINE', lifetime: 'SESSION', tenant: tenantOfUid(1) } as SemaphoreTerms;
    return new Semaphore(terms, device, { [Symbol.dispose]() {} });
  }

  set(semaphore: Semaphore, value: bigint): void {
    this.#counters.set(semaphore.device, value);
  }

  async waitAny(
    points: readonly { readonly semaphore: unknown; readonly value: bigint }[],
    timeoutNs: bigint,
  ): Promise<number[]> {
    this.calls += 1;
    this.#now += timeoutNs > 0n ? 1 : 0;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#now);
    const reached = () =>
      points.flatMap(({ semaphore, value }, index) =>
        (this.#counters.get(semaphore) ?? 0n) >= value ? [index] : [],
      );
    if (timeoutNs > 0n && reached().length === 0)
      await new Promise((resolve) => setTimeout(resolve, Number(timeoutNs / 1_000_000n)));
    this.#now -= timeoutNs > 0n ? 1 : 0;
    return reached();
  }
}

t.test('waits use one thread, and are bounded', async (t) => {
  const counters = new Counters();
  const waits = new SemaphoreWaits(counters);
  const semaphores = Array.from({ length: 8 }, () => counters.semaphore());
  const callerOf = (uid: number, session?: Session, fds = false): Caller => ({
    identity: identityOf(uid),
    session,
    ...(fds && { takeCredit: async () => {} }),
    gone: () => false,
  });
  const ends: Promise<unknown>[] = [];
  const wait = async (caller: Caller) => {
    const all = semaphores.map((semaphore, at) => ({ semaphore, value: BigInt(at + 1) }));
    const ended = waits.wait(caller, all, 60_000);
    ends.push(ended.catch((failure: unknown) => failure));
    const before = waits.size;
    await Promise.race([ended, new Promise((resolve) => setImmediate(() => setImmediate(resolve)))]);
    return waits.size - before;
  };
  const session = sessionOf(1);
  for (let n = 0; n < 16; n += 1) await wait(callerOf(1, session, true));
  await t.rejects(wait(callerOf(1, session, true)), {
    code: 'UNAVAILABLE',
    reason: /The session has 16 requests/,
  });
  for (let n = 16; n < 256; n += 1) await wait(callerOf(1));
  await t.rejects(wait(callerOf(1)), { code: 'UNAVAILABLE', reason: /The tenant has 256 requests/ });
  let last: unknown;
  for (let uid = 2; last === undefined && uid < 20; uid += 1) {
    for (let n = 0; last === undefined && n < 256; n += 1) {
      last = await wait(callerOf(uid)).then(
        () => undefined,
        (failure: unknown) => failure,
      );
    }
  }
  t.match(last, { code: 'UNAVAILABLE' });
  t.ok(waits.size <= 2048, `${waits.size} wait in all`);
  await wait(callerOf(1000));
  t.pass('a tenant that waits for nothing still can');
  t.equal(counters.mostAtOnce, 1, 'one call waits for all of them');
  for (const [at, semaphore] of semaphores.entries()) {
    t.ok(waits.size > 0, `they wait for all of their ${semaphores.length} values`);
    counters.set(semaphore, BigInt(at + 1));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const failed = (await Promise.all(ends)).filter((end) => end !== undefined);
  t.equal(failed.length, 3, 'all but the refused ones end');
  t.equal(waits.size, 0);
});

t.test('waits end with their semaphore, their caller and the daemon', async (t) => {
  const counters = new Counters();
  const waits = new SemaphoreWaits(counters);
  const [one, two] = [counters.semaphore(), counters.semaphore()];
  let gone = false;
  const caller = { identity: identityOf(1), session: undefined, gone: () => gone };
  const stays = { ...caller, gone: () => false };
  const freed = t.rejects(waits.wait(stays, [{ semaphore: one, value: 1n }], 60_000), { code: 'NOT_FOUND' });
  const both = [
    { semaphore: one, value: 1n },
    { semaphore: two, value: 1n },
  ];
  const lost = t.rejects(waits.wait(stays, both, 60_000), { code: 'NOT_FOUND' });
  const left = t.rejects(waits.wait(caller, [{ semaphore: two, value: 1n }], 60_000), {
    code: 'UNAVAILABLE',
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  await one.free();
  waits.endOf(one);
  await Promise.all([freed, lost]);
  gone = true;
  await left;
  const stopped = t.rejects(waits.wait(stays, [{ semaphore: two, value: 1n }], 60_000), {
    code: 'UNAVAILABLE',
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  waits.stop(new VkmemError('UNAVAILABLE', 'The daemon is stopping.'));
  await stopped;
  await t.rejects(waits.wait(stays, [{ semaphore: two, value: 1n }], 60_000), { code: 'UNAVAILABLE' });
  t.equal(waits.size, 0);
});
