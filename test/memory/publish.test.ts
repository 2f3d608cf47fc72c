/**
 * Grants of memory that is published, with a memfd that the test owns: other kinds, seals of another process,
 * a writer that prevents sealing.
 */
import { addSeals, createMemfd, KIND_NAMES, type OwnedFd, SEALS } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { Publication } from 'vkmemd/dist/memory/allocation/publication.js';
import { AccessLock } from 'vkmemd/dist/memory/grant/access-lock.js';

function publication(
  sealable: OwnedFd | undefined,
  reported = () => {},
  recorded?: boolean,
): { publication: Publication; lock: AccessLock } {
  const lock = new AccessLock('ONE_WRITER');
  const allocation = { id: 'one', memory: { sealable }, lock, requireLive() {} };
  return { publication: new Publication(allocation, reported, recorded), lock };
}

/** Memory over a memfd is not recorded: its seals say that it is published. */
function unrecorded(): never {
  throw new Error('a memfd was recorded as published');
}

/** Each kind and access that can be granted; all others are refused with PUBLISHED. */
function grantable(t: Test, one: Publication): string[] {
  return KIND_NAMES.flatMap((kind) =>
    (['rw', 'ro'] as const)
      .filter((access) => {
        try {
          one.requireGrantable(kind, access);
          return true;
        } catch (failure) {
          t.match(failure, { code: 'PUBLISHED' });
          return false;
        }
      })
      .map((access) => `${kind} ${access}`),
  );
}

t.test(
  'every kind can be granted before Publish, and only MAPPABLE and OPAQUE_FD for reading after it',
  async (t) => {
    using memfd = await createMemfd('test', 4096n, { sealed: false });
    let reported = 0;
    const { publication: one, lock } = publication(memfd, () => {
      reported += 1;
    });
    t.equal(grantable(t, one).length, 8);
    const holder = { id: 1n };
    lock.tryAcquire(holder, 'rw');
    const wait = t.rejects(lock.wait({ id: 2n }, 'rw').lock, { code: 'PUBLISHED' });
    await one.publish(unrecorded);
    await wait;
    t.strictSame(grantable(t, one), ['MAPPABLE ro', 'OPAQUE_FD ro']);
    await t.rejects(
      one.write(async () => {}),
      { code: 'PUBLISHED' },
    );
    await one.publish(unrecorded);
    t.equal(reported, 1, 'reported once');
  },
);

t.test('concurrent Publish requests, and a client that seals the memfd meanwhile', async (t) => {
  using memfd = await createMemfd('test', 4096n, { sealed: false });
  const { publication: one } = publication(memfd);
  await Promise.all([one.publish(unrecorded), one.publish(unrecorded), one.publish(unrecorded)]);
  t.equal(one.published, true);
  t.equal(one.sealing, false);

  using other = await createMemfd('test', 4096n, { sealed: false });
  const { publication: raced } = publication(other);
  const publishing = raced.publish(unrecorded);
  t.equal(raced.sealing, true, 'the memory is kept while it is being sealed');
  // PUBLISHED if the sealing thread was faster.
  t.throws(
    () => raced.requireGrantable('MAPPABLE', 'rw'),
    { code: /^(BUSY|PUBLISHED)$/ },
    'no writable grant meanwhile',
  );
  t.doesNotThrow(() => raced.requireGrantable('MAPPABLE', 'ro'));
  try {
    addSeals(other, SEALS.FUTURE_WRITE | SEALS.SEAL);
  } catch {
    // The sealing thread was faster.
  }
  await publishing;
  t.equal(raced.published, true);

  using refused = await createMemfd('test', 4096n, { sealed: true });
  await t.rejects(publication(refused).publication.publish(unrecorded), { code: 'NOT_PUBLISHABLE' });
  await t.rejects(
    publication(undefined).publication.publish(unrecorded),
    { code: 'NOT_FOUND' },
    'freed meanwhile',
  );
});

t.test('Publish waits for writes in progress', async (t) => {
  using memfd = await createMemfd('test', 4096n, { sealed: false });
  const { publication: one } = publication(memfd);
  let finish = () => {};
  const write = one.write(
    () =>
      new Promise<void>((resolve) => {
        finish = resolve;
      }),
  );
  let over = false;
  const publishing = one.publish(unrecorded).then(() => {
    over = true;
  });
  while (!one.published) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(over, false);
  finish();
  await Promise.all([write, publishing]);
  t.equal(over, true);
});

t.test('memory without seals is published once the ledger has it', async (t) => {
  let reported = 0;
  const report = () => {
    reported += 1;
  };
  const { publication: one, lock } = publication(undefined, report, false);
  t.strictSame([one.published, one.recorded], [false, false]);
  lock.tryAcquire({ id: 1n }, 'rw');
  const waiting = lock.wait({ id: 2n }, 'rw').lock;
  const full = new Error('the ledger is full');
  await t.rejects(
    one.publish(() => {
      throw full;
    }),
    full,
  );
  t.strictSame([one.published, lock.waiting, reported], [false, 1, 0], 'a failed write changes nothing');
  t.equal(grantable(t, one).length, 8);

  let recorded = 0;
  const record = () => {
    recorded += 1;
    t.equal(one.published, false, 'the ledger comes first');
  };
  const refused = t.rejects(waiting, { code: 'PUBLISHED' });
  await Promise.all([one.publish(record), one.publish(record)]);
  await refused;
  t.strictSame([one.published, one.recorded, recorded, reported], [true, true, 1, 1]);
  t.strictSame(grantable(t, one), ['MAPPABLE ro', 'OPAQUE_FD ro']);
  await t.rejects(
    one.write(async () => {}),
    { code: 'PUBLISHED' },
  );
  t.equal(publication(undefined, undefined, true).publication.published, true, 'as the ledger says');
});

t.test('memory without seals that was freed meanwhile is not published', async (t) => {
  const freed = new Error('freed');
  const lock = new AccessLock('SHARED');
  const requireLive = () => {
    throw freed;
  };
  const allocation = { id: 'one', memory: { sealable: undefined }, lock, requireLive };
  const one = new Publication(allocation, () => {}, false);
  await t.rejects(one.publish(unrecorded), freed);
  t.equal(one.published, false);
});
