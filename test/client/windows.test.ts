/**
 * Windows of an allocation, and their views after unmap, release, free and close: length 0, never a memory
 * fault.
 */
import t, { type Test } from 'tap';
import { startInProcess as startDaemon } from '../support/daemon.js';
import { connected, MIB, PAGE } from './support.js';

t.test('a window may begin and end at any byte', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  await using memory = await client.allocate({ size: MIB });
  const whole = memory.map();
  t.equal(whole.length, MIB);
  t.equal(whole.offset, 0n);
  t.equal(whole.buffer.byteLength, MIB);
  for (let at = 0; at < MIB; at += 1) whole.bytes[at] = (at * 31) ^ (at >> 8);

  const places: [number | bigint, number | bigint][] = [
    [0, 1],
    [1, 1],
    [PAGE - 1, 2],
    [PAGE, PAGE],
    [65_535n, 3n],
    [65_536, 65_536],
    [123_457n, 99_991],
    [MIB - 1, 1],
  ];
  for (const [offset, length] of places) {
    using map = memory.map({ offset, length });
    t.equal(map.offset, BigInt(offset));
    t.equal(map.length, Number(length));
    t.equal(map.buffer, map.bytes.buffer);
    const same = whole.bytes.subarray(Number(offset), Number(offset) + Number(length));
    t.equal(Buffer.compare(map.bytes, same), 0, `${length} bytes at ${offset} equal those of the whole`);
  }
  const tail = memory.map({ offset: 70_001 });
  t.equal(tail.length, MIB - 70_001, 'without a length: the rest');
  tail.bytes[0] = 1;
  t.equal(whole.bytes[70_001], 1, 'overlapping windows share their bytes');
});

t.test('invalid ranges are rejected', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  await using memory = await client.allocate({ size: MIB });
  const ranges: [string, { offset?: number | bigint; length?: number | bigint }][] = [
    ['a negative offset', { offset: -1 }],
    ['a fractional offset', { offset: 0.5 }],
    ['an offset at the end', { offset: MIB }],
    ['an offset beyond 64 bits', { offset: 2n ** 64n }],
    ['NaN as offset', { offset: Number.NaN }],
    ['no bytes', { length: 0 }],
    ['a negative length', { length: -1n }],
    ['one byte too many', { length: MIB + 1 }],
    ['an offset and length beyond the end', { offset: 1, length: MIB }],
    ['a sum beyond 64 bits', { offset: 2n ** 63n - 1n, length: 2n ** 63n - 1n }],
  ];
  for (const [what, range] of ranges) t.throws(() => memory.map(range), { code: 'INVALID_RANGE' }, what);
});

/** Asserts what holds for a view whose memory is unmapped. */
function checkGone(t: Test, view: Uint8Array): void {
  t.equal(view.length, 0);
  t.equal(view.byteLength, 0);
  t.equal(view.buffer.byteLength, 0);
  t.equal(view[0], undefined, 'a read returns undefined');
  view[0] = 1;
  t.equal(view[0], undefined, 'a write does nothing');
  t.throws(() => view.set([1]), TypeError, 'a method throws');
  t.throws(() => [...view], TypeError);
}

t.test('views of unmapped memory are empty', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const memory = await client.allocate({ size: MIB });

  const map = memory.map();
  const { bytes } = map;
  const views = [bytes, new Uint8Array(map.buffer), bytes.subarray(10), new Uint8Array(map.buffer, 4096, 16)];
  const words = new Float64Array(map.buffer);
  t.equal(map.mapped, true);
  map.unmap();
  map.unmap();
  t.equal(map.mapped, false);
  t.equal(map.length, 0);
  for (const view of views) checkGone(t, view);
  t.equal(words.length, 0, 'views of other types too');

  const atRelease = [memory.map().bytes, memory.map({ offset: 5, length: 5 }).bytes];
  const claimed = await client.claim(memory);
  const other = claimed.map().bytes;
  other[0] = 42;
  await memory.release();
  for (const view of atRelease) checkGone(t, view);
  t.equal(memory.released, true);
  t.throws(() => memory.map(), { code: 'NOT_FOUND' });
  t.throws(() => memory.fd('MAPPABLE'), { code: 'NOT_FOUND' });
  t.equal(other[0], 42, 'another claim of the same memory is unaffected');
  await claimed.free();
  checkGone(t, other);

  const last = await client.allocate({ size: PAGE });
  const atClose = last.map().bytes;
  await client.close();
  checkGone(t, atClose);
  t.equal(last.released, true);
  t.throws(() => last.map(), { code: 'NOT_FOUND' });
});

t.test('a mapped buffer cannot be transferred to another thread', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const memory = await client.allocate({ size: PAGE });
  const map = memory.map();
  map.bytes[0] = 3;
  const send = () => new Uint8Array(structuredClone(map.buffer, { transfer: [map.buffer] }));
  // Node 20 transfers a copy, Node 22 and later refuse.
  if (Number.parseInt(process.versions.node, 10) < 22) t.equal(send()[0], 3);
  else t.throws(send, { name: 'DataCloneError' });
  t.equal(map.mapped, true);
  t.equal(map.bytes[0], 3);
  t.equal((await memory.free()).freed, true);
  checkGone(t, map.bytes);
});
