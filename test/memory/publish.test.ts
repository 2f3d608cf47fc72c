/**
 * Grants of memory that is published, with a memfd that the test owns: other kinds, seals of another process,
 * a writer that prevents sealing.
 */
import { addSeals, createMemfd, KIND_NAMES, type OwnedFd, SEALS } from '@vkmemd/proto';
import t from 'tap';
import { Publication } from 'vkmemd/dist/memory/allocation/publication.js';
import { AccessLock } from 'vkmemd/dist/memory/grant/access-lock.js';

function publication(
  sealable: OwnedFd | undefined,
  reported = () => {},
): { publication: Publication; lock: AccessLock } {
  const lock = new AccessLock('ONE_WRITER');
  const allocation = { id: 'one', memory: { sealable }, lock };
  return { publication: new Publication(allocation, reported), lock };
}

t.test('every kind can be granted before Publish, and only MAPPABLE for reading after it', async (t) => {
  using memfd = await createMemfd('test', 4096n, { sealed: false });
  let reported = 0;
  const { publication: one, lock } = publication(memfd, () => {
    reported += 1;
  });
  const granted = () =>
    KIND_NAMES.flatMap((kind) =>
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
  t.equal(granted().length, 8);
  const holder = { id: 1n };
  lock.tryAcquire(holder, 'rw');
  const wait = t.rejects(lock.wait({ id: 2n }, 'rw').lock, { code: 'PUBLISHED' });
  await one.publish();
  await wait;
  t.strictSame(granted(), ['MAPPABLE ro']);
  await t.rejects(
    one.write(async () => {}),
    { code: 'PUBLISHED' },
  );
  await one.publish();
  t.equal(reported, 1, 'reported once');
});

t.test('concurrent Publish requests, and a client that seals the memfd meanwhile', async (t) => {
  using memfd = await createMemfd('test', 4096n, { sealed: false });
  const { publication: one } = publication(memfd);
  await Promise.all([one.publish(), one.publish(), one.publish()]);
  t.equal(one.published, true);
  t.equal(one.sealing, false);

  using other = await createMemfd('test', 4096n, { sealed: false });
  const { publication: raced } = publication(other);
  const publishing = raced.publish();
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
  await t.rejects(publication(refused).publication.publish(), { code: 'NOT_PUBLISHABLE' });
  await t.rejects(publication(undefined).publication.publish(), { code: 'NOT_FOUND' }, 'freed meanwhile');
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
  const publishing = one.publish().then(() => {
    over = true;
  });
  while (!one.published) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(over, false);
  finish();
  await Promise.all([write, publishing]);
  t.equal(over, true);
});
