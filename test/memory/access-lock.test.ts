/** The holders that the lock of one allocation admits at the same time, and their order. */
import { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { AccessLock, type Holder, type LockRef, type Wait } from 'vkmemd/dist/memory/grant/access-lock.js';

const holder = (id: number): Holder => ({ id: BigInt(id) });
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** How a wait ended: the lock, the error, or undefined while it is pending. */
async function endOf({ lock }: Wait): Promise<LockRef | VkmemError | undefined> {
  return Promise.race([lock.catch((fault) => fault), settled().then(() => undefined)]);
}

t.test('SHARED admits any number of readers and writers', async (t) => {
  const lock = new AccessLock('SHARED');
  for (const access of ['rw', 'ro', 'rw'] as const) t.ok(lock.tryAcquire(holder(1), access));
  t.match(lock, { writer: undefined, holders: 0, waiting: 0 });
});

t.test('ONE_WRITER: one session writes, any number of times, beside any number of readers', async (t) => {
  const lock = new AccessLock('ONE_WRITER');
  const [a, b, c] = [holder(1), holder(2), holder(3)];
  const first = lock.tryAcquire(a, 'rw');
  const second = lock.tryAcquire(a, 'rw');
  t.equal(lock.writer, a);
  t.equal(lock.tryAcquire(b, 'rw'), undefined);
  const wait = lock.wait(b, 'rw');
  t.ok(lock.tryAcquire(c, 'ro'), 'a reader passes a waiting writer');
  t.ok(lock.tryAcquire(b, 'ro'), 'also one of the same session');
  first?.release();
  first?.release();
  t.equal(await endOf(wait), undefined, 'a second release has no effect');
  second?.release();
  const ref = await wait.lock;
  t.equal(lock.writer, b);
  t.equal(lock.tryAcquire(c, 'rw'), undefined, 'a reader may not write');
  ref.release();
  t.equal(lock.writer, undefined);
});

t.test('ONE_WRITER: reading does not give precedence for writing', async (t) => {
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

t.test('EXCLUSIVE: readers or one writer; a new reader waits behind a waiting writer', async (t) => {
  const lock = new AccessLock('EXCLUSIVE');
  const [a, b, c, d] = [holder(1), holder(2), holder(3), holder(4)];
  const reads = [lock.tryAcquire(a, 'ro'), lock.tryAcquire(b, 'ro')];
  t.equal(lock.tryAcquire(c, 'rw'), undefined);
  const write = lock.wait(c, 'rw');
  t.equal(lock.tryAcquire(d, 'ro'), undefined, 'no new reader before the writer');
  lock.wait(d, 'ro');
  t.ok(lock.tryAcquire(a, 'ro'), 'except one that already reads');
  reads[0]?.release();
  reads[1]?.release();
  t.equal(await endOf(write), undefined, 'one reads twice');
  t.equal(lock.holders, 1);
});

t.test('EXCLUSIVE: a reader that requests to write', async (t) => {
  const lock = new AccessLock('EXCLUSIVE');
  const [a, b, c] = [holder(1), holder(2), holder(3)];
  const alone = lock.tryAcquire(a, 'ro');
  const write = lock.tryAcquire(a, 'rw');
  t.equal(lock.writer, a, 'the only reader may write at once');
  write?.release();
  const other = lock.tryAcquire(b, 'ro');
  const behind = lock.wait(c, 'rw');
  t.equal(lock.tryAcquire(a, 'rw'), undefined);
  const first = lock.wait(a, 'rw');
  const second = lock.wait(b, 'rw');
  t.match(await endOf(second), { code: 'BUSY' }, 'the second of two is refused');
  other?.release();
  const ref = await first.lock;
  t.equal(lock.writer, a, 'it precedes the earlier request, which waits for it');
  ref.release();
  alone?.release();
  t.equal(lock.writer, c);
  t.ok(await behind.lock);
});

t.test('EXCLUSIVE: of two sessions that wait to read and then to write, the second is refused', async (t) => {
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

t.test('a wait ends when it is refused, and when the allocation ends', async (t) => {
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
  lock.end(() => freed);
  t.equal(await endOf(wait), freed);
  t.throws(() => lock.tryAcquire(a, 'rw'), { code: 'NOT_FOUND' });
  t.throws(() => lock.wait(a, 'rw'), { code: 'NOT_FOUND' });
  write?.release();
});
