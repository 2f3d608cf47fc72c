/**
 * Locks of sessions that have ended, where the kernel gave no pidfd: on memory whose holders the kernel
 * reports, and on memory where it does not; and their number per user.
 */
import { type AccessName, type KindName, NOTHING_HELD, type SharingName, VkmemError } from '@vkmemd/proto';
import t from 'tap';
import type { Allocation } from 'vkmemd/dist/memory/allocation/allocation.js';
import { AccessLock } from 'vkmemd/dist/memory/grant/access-lock.js';
import { ClaimQueue } from 'vkmemd/dist/memory/grant/claim-queue.js';
import { OrphanedLocks } from 'vkmemd/dist/memory/grant/orphaned-locks.js';
import type { GrantRecord } from 'vkmemd/dist/memory/grant/record.js';
import type { ClientProcess } from 'vkmemd/dist/memory/session/client-process.js';
import { Session } from 'vkmemd/dist/memory/session/session.js';
import { makeIdentity } from 'vkmemd/dist/policy/identity.js';

/** The parts of an allocation that matter here. */
class Fake {
  readonly lock: AccessLock;
  readonly id = 'fake';
  readonly state = 'LIVE';
  held: boolean | undefined = true;
  looks = 0;

  constructor(mode: SharingName = 'ONE_WRITER') {
    this.lock = new AccessLock(mode);
  }

  heldElsewhere(): boolean | undefined {
    this.looks += 1;
    return this.held;
  }

  get allocation(): Allocation {
    return this as unknown as Allocation;
  }
}

/** All existing grants. */
const grants = new Set<GrantRecord>();
const ofSession = (session: Session) => [...grants].filter((grant) => grant.session === session);
const index = {
  holding(session: Session, allocation: Allocation) {
    const own = ofSession(session).filter((grant) => grant.allocation === allocation);
    const locked = { rw: 0, ro: 0 };
    let lockedUnseen = 0;
    for (const { lock, issued, access, kind } of own) {
      if (!lock || !issued) continue;
      locked[access] += 1;
      if (kind !== 'MAPPABLE') lockedUnseen += 1;
    }
    return { session, allocation, grants: new Set(own), locked, lockedUnseen, writable: 0 };
  },
  holdingsOf: (session: Session) =>
    [...new Set(ofSession(session).map(({ allocation }) => allocation))].map((each) =>
      index.holding(session, each),
    ),
};

let sessions = 0n;

function session(uid = 1000): Session {
  sessions += 1n;
  return new Session(
    sessions,
    makeIdentity({ uid, gid: uid, pid: 7, groups: [] }),
    `token ${sessions}`,
    'test',
  );
}

/** A session with a grant. */
function holder(fake: Fake, access: AccessName, kind: KindName = 'MAPPABLE'): Session {
  const one = session();
  const hold = fake.lock.tryAcquire(one, access);
  if (!hold) throw new Error('the lock is not free');
  grants.add({ ...grantOf(fake, one), access, kind, lock: hold });
  return one;
}

const writer = (fake: Fake, kind?: KindName): Session => holder(fake, 'rw', kind);

const grantOf = (fake: Fake, session: Session): Omit<GrantRecord, 'lock'> => ({
  id: 1n,
  allocation: fake.allocation,
  session,
  kind: 'MAPPABLE',
  access: 'rw',
  counted: NOTHING_HELD,
  issued: true,
  dropped: false,
  fds: 1,
});

/** Ends a session as session/closing.ts does. */
function end(orphaned: OrphanedLocks, one: Session): void {
  orphaned.retain(one);
  for (const grant of ofSession(one)) {
    grant.lock?.release();
    grants.delete(grant);
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

t.test('the lock on a memfd is kept while the kernel reports a holder', async (t) => {
  const fake = new Fake();
  const orphaned = new OrphanedLocks(index);
  const claimQueue = new ClaimQueue(orphaned);
  end(orphaned, writer(fake));
  t.equal(orphaned.size, 1);
  const next = session();
  await t.rejects(claimQueue.acquire(fake.allocation, next, 'rw', 0), { code: 'BUSY' });
  const wait = claimQueue.acquire(fake.allocation, next, 'rw', 60_000);
  await until(() => fake.looks > 3);
  t.equal(claimQueue.size, 1, 'it is kept while the memfd is held');
  fake.held = false;
  t.ok(await wait, 'and passes on when it is no longer held');
  t.equal(orphaned.size, 0);
  const { looks } = fake;
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(fake.looks, looks, 'polling has stopped');
});

t.test('where the kernel cannot report holders, the lock is kept until the allocation ends', async (t) => {
  const orphaned = new OrphanedLocks(index);
  const silent = new Fake();
  silent.held = undefined;
  end(orphaned, writer(silent));
  await until(() => silent.looks > 3);
  t.equal(orphaned.size, 1);
  orphaned.release(silent.allocation);
  t.equal(orphaned.size, 0);
  t.equal(silent.lock.writer, undefined);

  const driver = new Fake();
  driver.held = false;
  end(orphaned, writer(driver, 'OPAQUE_FD'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(orphaned.size, 1, 'holders of another kind of grant do not show on the memfd');
  orphaned.release(driver.allocation);
});

t.test('a grant whose fd was never received leaves no lock', async (t) => {
  const fake = new Fake();
  const orphaned = new OrphanedLocks(index);
  const one = session();
  const lock = fake.lock.tryAcquire(one, 'rw');
  grants.add({ ...grantOf(fake, one), issued: false, lock });
  end(orphaned, one);
  t.equal(orphaned.size, 0);
  t.equal(fake.lock.writer, undefined, 'the next writer need not wait');
});

t.test('a process is identified by its pidfd, not by its pid', async (t) => {
  const fake = new Fake();
  const orphaned = new OrphanedLocks(index);
  end(orphaned, writer(fake));
  t.equal(orphaned.reclaim(session(), fake.allocation, 'rw'), undefined, 'an equal pid is not sufficient');
  orphaned.release(fake.allocation);
});

t.test('a failed claim of the same process keeps the lock of its mappings', async (t) => {
  const fake = new Fake();
  const orphaned = new OrphanedLocks(index);
  const claimQueue = new ClaimQueue(orphaned);
  const process = { pid: 7, exited: false, watch: () => NOTHING_HELD } as unknown as ClientProcess;
  const before = Object.assign(writer(fake), { process });
  end(orphaned, before);
  const anew = Object.assign(session(), { process });
  for (const waitMs of [0, 60_000]) {
    const ref = await claimQueue.acquire(fake.allocation, anew, 'rw', waitMs);
    t.equal(fake.lock.writer, anew, 'before all others');
    ref.release();
    t.equal(fake.lock.writer, before, 'nothing was granted: the earlier lock is restored');
    await t.rejects(claimQueue.acquire(fake.allocation, session(), 'rw', 0), { code: 'BUSY' });
  }
  const ref = await claimQueue.acquire(fake.allocation, anew, 'rw', 0);
  const record = { ...grantOf(fake, anew), lock: ref.retain() };
  grants.add(record);
  ref.release();
  t.same([orphaned.size, fake.lock.writer], [0, anew], 'after a grant the new lock remains');
  record.lock.release();
  grants.delete(record);
  t.equal(fake.lock.writer, undefined);
});

t.test('a failed wait keeps it too; the end of the process during the wait ends it', async (t) => {
  const fake = new Fake('EXCLUSIVE');
  const orphaned = new OrphanedLocks(index);
  const claimQueue = new ClaimQueue(orphaned);
  let exit = () => {};
  const watch = (exited: () => void) => {
    exit = exited;
    return NOTHING_HELD;
  };
  const process = { pid: 7, exited: false, watch } as unknown as ClientProcess;
  const reading = fake.lock.tryAcquire(session(2000), 'ro');
  end(orphaned, Object.assign(holder(fake, 'ro'), { process }));
  const anew = Object.assign(session(), { process });
  const wait = t.rejects(claimQueue.acquire(fake.allocation, anew, 'rw', 60_000), { code: 'UNAVAILABLE' });
  claimQueue.rejectOf(anew);
  await wait;
  reading?.release();
  t.equal(fake.lock.holders, 1, 'its read-only mapping keeps the lock');
  await t.rejects(claimQueue.acquire(fake.allocation, session(), 'rw', 0), { code: 'BUSY' });

  const ref = await claimQueue.acquire(fake.allocation, Object.assign(session(), { process }), 'rw', 0);
  exit();
  t.equal(orphaned.size, 0);
  ref.release();
  t.equal(fake.lock.holders, 0, 'nothing is left of a process that has ended');
});

t.test('the number of orphaned locks per user is limited', async (t) => {
  const orphaned = new OrphanedLocks(index);
  const claimQueue = new ClaimQueue(orphaned);
  const fakes = Array.from({ length: 64 }, () => new Fake());
  for (const fake of fakes) end(orphaned, writer(fake));
  const fake = new Fake();
  await t.rejects(claimQueue.acquire(fake.allocation, session(), 'ro', 0), { code: 'UNAVAILABLE' });
  t.ok(await claimQueue.acquire(fake.allocation, session(2000), 'ro', 0), 'another user is not affected');
  const shared = { lock: new AccessLock('SHARED') } as Allocation;
  t.ok(await claimQueue.acquire(shared, session(), 'rw', 0), 'memory without a lock is not affected');
  for (const each of fakes) orphaned.release(each.allocation);
  t.equal(orphaned.size, 0);
});

t.test('stopping rejects all waits', async (t) => {
  const fake = new Fake();
  const claimQueue = new ClaimQueue(new OrphanedLocks(index));
  writer(fake);
  const stopping = new VkmemError('UNAVAILABLE', 'stopping');
  const wait = t.rejects(claimQueue.acquire(fake.allocation, session(), 'rw', 60_000), stopping);
  const never = t.rejects(claimQueue.unlessStopped(new Promise(() => {})), stopping);
  t.equal(await claimQueue.unlessStopped(Promise.resolve(1)), 1);
  claimQueue.stop(stopping);
  await Promise.all([wait, never]);
  await t.rejects(claimQueue.acquire(fake.allocation, session(), 'rw', 1), stopping, 'and later ones');
  t.equal(claimQueue.size, 0);
});
