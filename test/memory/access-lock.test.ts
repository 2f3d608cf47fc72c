/**
 * Which holders have the lock of one allocation at the same time, and in which order.
 */
import { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { AccessLock, type Holder, type LockRef, type Wait } from 'vkmemd/dist/memory/grant/access-lock.js';

const holder = (id: number): Holder => ({ id: BigInt(id) });
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** The end of the wait: the lock, the fault, or undefined while it is pending. */
async function endOf({ lock }: Wait): Promise<LockRef | VkmemError | undefined> {
  return Promise.race([lock.catch((fault) => fault), settled().then(() => undefined)]);
}

t.test('SHARED sets no bounds', async (t) => {
  const lock = new AccessLock('SHARED');
  for (const access of ['rw', 'ro', 'rw'] as const) t.ok(lock.tryAcquire(holder(1), access));
  t.match(lock, { writer: undefined, holders: 0, waiting: 0 });
});

t.test('ONE_WRITER: one session writes, as often as it likes, beside any number that read', async (t) => {
  const lock = new AccessLock('ONE_WRITER');
  const [a, b, c] = [holder(1), holder(2), holder(3)];
  const first = lock.tryAcquire(a, 'rw');
  const second = lock.tryAcquire(a, 'rw');
  t.equal(lock.writer, a);
  t.equal(lock.tryAcquire(b, 'rw'), undefined);
  const wait = lock.wait(b, 'rw');
  t.ok(lock.tryAcquire(c, 'ro'), 'a reader goes by a writer that waits');
  t.ok(lock.tryAcquire(b, 'ro'), 'even of the same session');
  first?.release();
  first?.release();
  t.equal(await endOf(wait), undefined, 'dropped twice is dropped once');
  second?.release();
  const ref = await wait.lock;
  t.equal(lock.writer, b);
  t.equal(lock.tryAcquire(c, 'rw'), undefined, 'a reader cannot write');
  ref.release();
  t.equal(lock.writer, undefined);
});

t.test('ONE_WRITER: who reads comes no sooner to write', async (t) => {
  const lock = new AccessLock('ONE_WRITER');
  const [a, b, c] = [holder(1), holder(2), holder(3)];
  const writer = lock.tryAcquire(a, 'rw');
  lock.tryAcquire(c, 'ro');
  const waits = [lock.wait(b, 'rw'), lock.wait(c, 'rw')];
  writer?.release();
  t.equal(lock.writer, b);
  (await waits[0]?.lock)?.release();
  t.equal(lock.writer, c);
});

t.test('EXCLUSIVE: readers, or one writer; a reader behind a writer that waits waits too', async (t) => {
  const lock = new AccessLock('EXCLUSIVE');
  const [a, b, c, d] = [holder(1), holder(2), holder(3), holder(4)];
  const reads = [lock.tryAcquire(a, 'ro'), lock.tryAcquire(b, 'ro')];
  t.equal(lock.tryAcquire(c, 'rw'), undefined);
  const write = lock.wait(c, 'rw');
  t.equal(lock.tryAcquire(d, 'ro'), undefined, 'no reader in front of it');
  lock.wait(d, 'ro');
  t.ok(lock.tryAcquire(a, 'ro'), 'but for one that reads already');
  reads[0]?.release();
  reads[1]?.release();
  t.equal(await endOf(write), undefined, 'one reads twice');
  t.equal(lock.holders, 1);
});

t.test('EXCLUSIVE: a reader that wants to write', async (t) => {
  const lock = new AccessLock('EXCLUSIVE');
  const [a, b, c] = [holder(1), holder(2), holder(3)];
  const alone = lock.tryAcquire(a, 'ro');
  const write = lock.tryAcquire(a, 'rw');
  t.equal(lock.writer, a, 'alone it may at once');
  write?.release();
  const other = lock.tryAcquire(b, 'ro');
  const behind = lock.wait(c, 'rw');
  t.equal(lock.tryAcquire(a, 'rw'), undefined);
  const first = lock.wait(a, 'rw');
  const second = lock.wait(b, 'rw');
  t.match(await endOf(second), { code: 'BUSY' }, 'the second of two is refused');
  other?.release();
  const ref = await first.lock;
  t.equal(lock.writer, a, 'the first goes before who came before it, since that one waits for it');
  ref.release();
  alone?.release();
  t.equal(lock.writer, c);
  t.ok(await behind.lock);
});

t.test('EXCLUSIVE: two that wait to read and to write become readers that wait to write', async (t) => {
  const lock = new AccessLock('EXCLUSIVE');
  const [a, b, c] = [holder(1), holder(2), holder(3)];
  const write = lock.tryAcquire(a, 'rw');
  const waits = [lock.wait(b, 'ro'), lock.wait(c, 'ro'), lock.wait(b, 'rw'), lock.wait(c, 'rw')];
  write?.release();
  const ends = await Promise.all(waits.map(endOf));
  t.match(ends[3], { code: 'BUSY' }, 'the second of them');
  t.equal(ends[2], undefined);
  (ends[1] as LockRef).release();
  await waits[2]?.lock;
  t.equal(lock.writer, b);
});

t.test('a wait that is refused, or the end of the allocation', async (t) => {
  const lock = new AccessLock('ONE_WRITER');
  const [a, b, c] = [holder(1), holder(2), holder(3)];
  const write = lock.tryAcquire(a, 'rw');
  const waits = [lock.wait(b, 'rw'), lock.wait(c, 'rw')];
  const late = new VkmemError('BUSY', 'late');
  waits[0]?.refuse(late);
  t.equal(await endOf(waits[0] as Wait), late);
  const published = new VkmemError('PUBLISHED');
  lock.refuseWriters(published);
  t.equal(await endOf(waits[1] as Wait), published);
  const wait = lock.wait(b, 'rw');
  const freed = new VkmemError('NOT_FOUND', 'freed');
  lock.end(freed);
  t.equal(await endOf(wait), freed);
  t.throws(() => lock.tryAcquire(a, 'rw'), { code: 'NOT_FOUND' });
  t.throws(() => lock.wait(a, 'rw'), { code: 'NOT_FOUND' });
  write?.release();
});
