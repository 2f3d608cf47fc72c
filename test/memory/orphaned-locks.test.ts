/**
 * Rights of sessions that have ended, where the kernel gave no pidfd: on memory that says who holds it, and on memory
 * that does not; and how many of them a user may have.
 */
import { type AccessName, type KindName, type SharingName, VkmemError } from '@vkmemd/proto';
import t from 'tap';
import type { Allocation, GrantRecord } from 'vkmemd/dist/memory/allocation/allocation.js';
import { AccessLock } from 'vkmemd/dist/memory/grant/access-lock.js';
import { ClaimQueue } from 'vkmemd/dist/memory/grant/claim-queue.js';
import { OrphanedLocks } from 'vkmemd/dist/memory/grant/orphaned-locks.js';
import type { ClientProcess } from 'vkmemd/dist/memory/session/client-process.js';
import { Session } from 'vkmemd/dist/memory/session/session.js';

/** As much of an allocation as matters here. */
class Fake {
  readonly sharing: AccessLock;
  readonly id = 'fake';
  readonly state = 'LIVE';
  readonly grants = new Set<GrantRecord>();
  held: boolean | undefined = true;
  looks = 0;

  constructor(mode: SharingName = 'ONE_WRITER') {
    this.sharing = new AccessLock(mode);
  }

  readonly memory = {
    heldElsewhere: () => {
      this.looks += 1;
      return this.held;
    },
  };

  get allocation(): Allocation {
    return this as unknown as Allocation;
  }
}

let sessions = 0n;

function session(uid = 1000): Session {
  sessions += 1n;
  return new Session(sessions, { uid, gid: uid, pid: 7, groups: [] }, `token ${sessions}`, 'test');
}

/** A session with a grant. */
function holder(fake: Fake, access: AccessName, kind: KindName = 'MAPPABLE'): Session {
  const one = session();
  const hold = fake.sharing.take(one, access);
  if (!hold) throw new Error('the right is not free');
  one.grants.set(1n, { ...grantOf(fake, one), access, kind, hold });
  return one;
}

const writer = (fake: Fake, kind?: KindName): Session => holder(fake, 'rw', kind);

const grantOf = (fake: Fake, session: Session): Omit<GrantRecord, 'hold'> => ({
  id: 1n,
  allocation: fake.allocation,
  session,
  kind: 'MAPPABLE',
  access: 'rw',
  uncount: () => {},
  fds: 1,
});

/** As lifetime.ts ends it. */
function end(departed: OrphanedLocks, one: Session): void {
  departed.keep(one);
  for (const { hold } of one.grants.values()) hold.drop();
  one.grants.clear();
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

t.test('what the kernel sees of a memfd decides', async (t) => {
  const fake = new Fake();
  const departed = new OrphanedLocks();
  const waiting = new ClaimQueue(departed);
  end(departed, writer(fake));
  t.equal(departed.size, 1);
  const next = session();
  await t.rejects(waiting.acquire(fake.allocation, next, 'rw', 0), { code: 'BUSY' });
  const wait = waiting.acquire(fake.allocation, next, 'rw', 60_000);
  await until(() => fake.looks > 3);
  t.equal(waiting.size, 1, 'held as it is, it stays');
  fake.held = false;
  t.ok(await wait, 'and passes on when nobody holds it any more');
  t.equal(departed.size, 0);
  const { looks } = fake;
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(fake.looks, looks, 'nobody asks any more');
});

t.test('where the kernel cannot say, it stays as long as the allocation', async (t) => {
  const departed = new OrphanedLocks();
  const silent = new Fake();
  silent.held = undefined;
  end(departed, writer(silent));
  await until(() => silent.looks > 3);
  t.equal(departed.size, 1);
  departed.forget(silent.allocation);
  t.equal(departed.size, 0);
  t.equal(silent.sharing.writer, undefined);

  const driver = new Fake();
  driver.held = false;
  end(departed, writer(driver, 'OPAQUE_FD'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(departed.size, 1, 'another kind of grant is not seen at the memfd');
  departed.forget(driver.allocation);
});

t.test('a process is known by its pidfd, not by its number', async (t) => {
  const fake = new Fake();
  const departed = new OrphanedLocks();
  end(departed, writer(fake));
  t.equal(departed.lend(session(), fake.allocation, 'rw'), undefined, 'the same pid says nothing');
  departed.forget(fake.allocation);
});

t.test('a claim that fails takes nothing from what is mapped', async (t) => {
  const fake = new Fake();
  const departed = new OrphanedLocks();
  const waiting = new ClaimQueue(departed);
  const process = { pid: 7, exited: false, watch: () => () => {} } as unknown as ClientProcess;
  const before = Object.assign(writer(fake), { process });
  end(departed, before);
  const anew = Object.assign(session(), { process });
  for (const waitMs of [0, 60_000]) {
    const right = await waiting.acquire(fake.allocation, anew, 'rw', waitMs);
    t.equal(fake.sharing.writer, anew, 'before all others');
    right.drop();
    t.equal(fake.sharing.writer, before, 'nothing was granted: it goes back');
    await t.rejects(waiting.acquire(fake.allocation, session(), 'rw', 0), { code: 'BUSY' });
  }
  const right = await waiting.acquire(fake.allocation, anew, 'rw', 0);
  const record = { ...grantOf(fake, anew), hold: right.retain() };
  fake.grants.add(record);
  right.drop();
  t.same([departed.size, fake.sharing.writer], [0, anew], 'once something is granted, that counts');
  record.hold.drop();
  t.equal(fake.sharing.writer, undefined);
});

t.test('nor does a wait that ends in vain, or the end of the process meanwhile', async (t) => {
  const fake = new Fake('EXCLUSIVE');
  const departed = new OrphanedLocks();
  const waiting = new ClaimQueue(departed);
  let exit = () => {};
  const watch = (exited: () => void) => {
    exit = exited;
    return () => {};
  };
  const process = { pid: 7, exited: false, watch } as unknown as ClientProcess;
  const reading = fake.sharing.take(session(2000), 'ro');
  end(departed, Object.assign(holder(fake, 'ro'), { process }));
  const anew = Object.assign(session(), { process });
  const wait = t.rejects(waiting.acquire(fake.allocation, anew, 'rw', 60_000), { code: 'UNAVAILABLE' });
  waiting.leave(anew);
  await wait;
  reading?.drop();
  t.equal(fake.sharing.holders, 1, 'what it had mapped to read');
  await t.rejects(waiting.acquire(fake.allocation, session(), 'rw', 0), { code: 'BUSY' });

  const right = await waiting.acquire(fake.allocation, Object.assign(session(), { process }), 'rw', 0);
  exit();
  t.equal(departed.size, 0);
  right.drop();
  t.equal(fake.sharing.holders, 0, 'of a process that has ended nothing is left');
});

t.test('a user has so many', async (t) => {
  const departed = new OrphanedLocks();
  const waiting = new ClaimQueue(departed);
  const fakes = Array.from({ length: 64 }, () => new Fake());
  for (const fake of fakes) end(departed, writer(fake));
  const fake = new Fake();
  await t.rejects(waiting.acquire(fake.allocation, session(), 'ro', 0), { code: 'UNAVAILABLE' });
  t.ok(await waiting.acquire(fake.allocation, session(2000), 'ro', 0), 'another user is not touched');
  const shared = { sharing: new AccessLock('SHARED') } as Allocation;
  t.ok(await waiting.acquire(shared, session(), 'rw', 0), 'nor is what has no rights');
  for (const each of fakes) departed.forget(each.allocation);
  t.equal(departed.size, 0);
});

t.test('waiting that is stopped', async (t) => {
  const fake = new Fake();
  const waiting = new ClaimQueue(new OrphanedLocks());
  writer(fake);
  const stopping = new VkmemError('UNAVAILABLE', 'stopping');
  const wait = t.rejects(waiting.acquire(fake.allocation, session(), 'rw', 60_000), stopping);
  const never = t.rejects(waiting.unlessStopped(new Promise(() => {})), stopping);
  t.equal(await waiting.unlessStopped(Promise.resolve(1)), 1);
  waiting.stop(stopping);
  await Promise.all([wait, never]);
  await t.rejects(waiting.acquire(fake.allocation, session(), 'rw', 1), stopping, 'and later ones');
  t.equal(waiting.size, 0);
});
