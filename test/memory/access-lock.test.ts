/**
 * Who has rights to one allocation at the same time, and in which order: some stories.
 */
import { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { AccessLock, type Holder, type LockRef, type Wait } from 'vkmemd/dist/memory/grant/access-lock.js';

const holder = (id: number): Holder => ({ id: BigInt(id) });
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Whether the wait is over: the hold, the fault, or undefined while it goes on. */
async function endOf({ hold }: Wait): Promise<LockRef | VkmemError | undefined> {
  return Promise.race([hold.catch((fault) => fault), settled().then(() => undefined)]);
}

t.test('SHARED sets no bounds', async (t) => {
  const sharing = new AccessLock('SHARED');
  for (const access of ['rw', 'ro', 'rw'] as const) t.ok(sharing.take(holder(1), access));
  t.match(sharing, { writer: undefined, holders: 0, waiting: 0 });
});

t.test('ONE_WRITER: one session writes, as often as it likes, beside any number that read', async (t) => {
  const sharing = new AccessLock('ONE_WRITER');
  const [a, b, c] = [holder(1), holder(2), holder(3)];
  const first = sharing.take(a, 'rw');
  const second = sharing.take(a, 'rw');
  t.equal(sharing.writer, a);
  t.equal(sharing.take(b, 'rw'), undefined);
  const wait = sharing.wait(b, 'rw');
  t.ok(sharing.take(c, 'ro'), 'a reader goes by a writer that waits');
  t.ok(sharing.take(b, 'ro'), 'even of the same session');
  first?.drop();
  first?.drop();
  t.equal(await endOf(wait), undefined, 'dropped twice is dropped once');
  second?.drop();
  const hold = await wait.hold;
  t.equal(sharing.writer, b);
  t.equal(sharing.take(c, 'rw'), undefined, 'a reader has no right to write');
  hold.drop();
  t.equal(sharing.writer, undefined);
});

t.test('ONE_WRITER: who reads comes no sooner to write', async (t) => {
  const sharing = new AccessLock('ONE_WRITER');
  const [a, b, c] = [holder(1), holder(2), holder(3)];
  const writer = sharing.take(a, 'rw');
  sharing.take(c, 'ro');
  const waits = [sharing.wait(b, 'rw'), sharing.wait(c, 'rw')];
  writer?.drop();
  t.equal(sharing.writer, b);
  (await waits[0]?.hold)?.drop();
  t.equal(sharing.writer, c);
});

t.test('EXCLUSIVE: readers, or one writer; a reader behind a writer that waits waits too', async (t) => {
  const sharing = new AccessLock('EXCLUSIVE');
  const [a, b, c, d] = [holder(1), holder(2), holder(3), holder(4)];
  const reads = [sharing.take(a, 'ro'), sharing.take(b, 'ro')];
  t.equal(sharing.take(c, 'rw'), undefined);
  const write = sharing.wait(c, 'rw');
  t.equal(sharing.take(d, 'ro'), undefined, 'no reader in front of it');
  sharing.wait(d, 'ro');
  t.ok(sharing.take(a, 'ro'), 'but for one that reads already');
  reads[0]?.drop();
  reads[1]?.drop();
  t.equal(await endOf(write), undefined, 'one reads twice');
  t.equal(sharing.holders, 1);
});

t.test('EXCLUSIVE: a reader that wants to write', async (t) => {
  const sharing = new AccessLock('EXCLUSIVE');
  const [a, b, c] = [holder(1), holder(2), holder(3)];
  const alone = sharing.take(a, 'ro');
  const write = sharing.take(a, 'rw');
  t.equal(sharing.writer, a, 'alone it may at once');
  write?.drop();
  const other = sharing.take(b, 'ro');
  const behind = sharing.wait(c, 'rw');
  t.equal(sharing.take(a, 'rw'), undefined);
  const first = sharing.wait(a, 'rw');
  const second = sharing.wait(b, 'rw');
  t.match(await endOf(second), { code: 'BUSY' }, 'the second of two is refused');
  other?.drop();
  const hold = await first.hold;
  t.equal(sharing.writer, a, 'the first goes before who came before it, since that one waits for it');
  hold.drop();
  alone?.drop();
  t.equal(sharing.writer, c);
  t.ok(await behind.hold);
});

t.test('EXCLUSIVE: two that wait to read and to write become readers that wait to write', async (t) => {
  const sharing = new AccessLock('EXCLUSIVE');
  const [a, b, c] = [holder(1), holder(2), holder(3)];
  const write = sharing.take(a, 'rw');
  const waits = [sharing.wait(b, 'ro'), sharing.wait(c, 'ro'), sharing.wait(b, 'rw'), sharing.wait(c, 'rw')];
  write?.drop();
  const ends = await Promise.all(waits.map(endOf));
  t.match(ends[3], { code: 'BUSY' }, 'the second of them');
  t.equal(ends[2], undefined);
  (ends[1] as LockRef).drop();
  await waits[2]?.hold;
  t.equal(sharing.writer, b);
});

t.test('a wait that is refused, or the end of the allocation', async (t) => {
  const sharing = new AccessLock('ONE_WRITER');
  const [a, b, c] = [holder(1), holder(2), holder(3)];
  const write = sharing.take(a, 'rw');
  const waits = [sharing.wait(b, 'rw'), sharing.wait(c, 'rw')];
  const late = new VkmemError('BUSY', 'late');
  waits[0]?.refuse(late);
  t.equal(await endOf(waits[0] as Wait), late);
  const published = new VkmemError('PUBLISHED');
  sharing.refuseWriters(published);
  t.equal(await endOf(waits[1] as Wait), published);
  const wait = sharing.wait(b, 'rw');
  const freed = new VkmemError('NOT_FOUND', 'freed');
  sharing.end(freed);
  t.equal(await endOf(wait), freed);
  t.throws(() => sharing.take(a, 'rw'), { code: 'NOT_FOUND' });
  t.throws(() => sharing.wait(a, 'rw'), { code: 'NOT_FOUND' });
  write?.drop();
});
