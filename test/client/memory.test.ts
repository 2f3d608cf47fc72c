/**
 * The client's main use: memory that one process writes and another reads, with handles, access modes and
 * device copies.
 */
import { fstatSync } from 'node:fs';
import { mapFd } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { assertNoLeaks, startInProcess as startDaemon } from '../support/daemon.js';
import { connected, MIB, runProgram } from './support.js';

t.test('two processes read and write the same memory', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const memory = await client.allocate({ size: MIB, name: 'shared' });
  const { bytes } = memory.map();
  for (let at = 0; at < 16; at += 1) bytes[at] = at * 3;

  const other = await runProgram('other-worker.js', [runtimeDir, 'shared']);
  t.equal(other.stderr, '', 'it prints no error');
  t.equal(other.code, 0, 'it ends by itself after closing its client');
  t.same(
    JSON.parse(other.stdout),
    Array.from({ length: 16 }, (_, at) => at * 3),
    'it read the bytes that this process wrote',
  );
  t.same(
    [...bytes.subarray(0, 16)],
    Array.from({ length: 16 }, (_, at) => at * 3 + 1),
    'this process sees its writes',
  );
  t.equal((await memory.free()).freed, true, 'no process holds it any more');
  await assertNoLeaksAfter(t, client, runtimeDir);
});

t.test('an allocation and its grants are described', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  await using memory = await client.allocate({ size: 5000n });
  t.equal(memory.size, 8192n, 'the size is rounded up to whole pages');
  t.same(memory.kinds, ['MAPPABLE']);
  t.equal(memory.name, '', 'it has no name');
  t.equal(memory.allocation.lifetime, 'LIFETIME_SESSION');
  t.same(
    memory.grants.map(({ kind, fdCount, allocationId }) => [kind, fdCount, allocationId]),
    [['KIND_MAPPABLE', 1, memory.id]],
    'the kinds that it was allocated for are granted at once',
  );
  t.equal((await client.get(memory)).grants, 1, 'get() accepts a Memory');
  await using bare = await client.allocate({ size: 1, grant: [] });
  t.same(bare.grants, [], 'with no kinds, none is granted');
  t.throws(() => bare.map(), { code: 'NOT_MAPPABLE' });
  await using claimed = await client.claim(bare);
  t.equal(claimed.map().length, 4096, 'and it can be claimed later');
  await using opaque = await client.allocate({ size: 4096, kinds: ['OPAQUE_FD'] });
  t.throws(() => opaque.map(), { code: 'NOT_MAPPABLE' }, 'an OPAQUE_FD cannot be mapped');
  const fd = opaque.fd('OPAQUE_FD');
  t.equal(fd.open, true);
  fd.close();
});

t.test('fd() returns a duplicate that outlives the allocation', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const memory = await client.allocate({ size: MIB });
  memory.map({ length: 4 }).bytes.set([1, 2, 3, 4]);
  const fd = memory.fd('MAPPABLE');
  const another = memory.fd('MAPPABLE');
  t.not(fd.fd, another.fd, 'each call returns a new fd');
  another.close();
  t.equal(fstatSync(fd.fd).size, MIB);
  t.throws(() => memory.fd('OPAQUE_FD'), { code: 'KIND_NOT_REQUESTED' });

  t.equal((await memory.free()).freed, false, 'the duplicate still holds the memory');
  t.equal((await client.budget()).counts.drainingAllocations, 1, 'the memory is draining');
  const mapping = mapFd(fd, { offset: 0n, length: MIB, access: 'rw' });
  t.same([...new Uint8Array(mapping.buffer, 0, 4)], [1, 2, 3, 4], 'the duplicate is usable');
  mapping.unmap();
  fd.close();
  await assertNoLeaksAfter(t, client, runtimeDir);
});

t.test('writes to a read-only mapping do not reach the memory', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  await using memory = await client.allocate({ size: MIB, name: 'read-only' });
  const writer = memory.map().bytes;
  await using reader = await client.claim({ name: 'read-only' }, { access: 'ro' });
  t.equal(reader.grants[0]?.access, 'ACCESS_READ_ONLY');
  const { bytes } = reader.map();
  writer[0] = 7;
  writer[8192] = 7;
  t.equal(bytes[0], 7, 'writes of other mappings are visible');
  bytes[0] = 9;
  t.equal(writer[0], 7, 'a write to the read-only mapping does not reach the memory');
  writer[8192] = 8;
  t.equal(bytes[8192], 8, 'other pages still follow the memory');
  t.throws(() => reader.map({ access: 'rw' }), { code: 'NOT_PERMITTED' });
  const careful = memory.map({ access: 'ro', length: 1 }).bytes;
  careful[0] = 1;
  t.equal(writer[0], 7, 'the same holds for a read-only mapping of a writable grant');
  await memory.free();
});

t.test('two clients exchange bytes through a device copy', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const one = await connected(t, runtimeDir);
  const two = await connected(t, runtimeDir);
  t.not(one.session.id, two.session.id);
  t.equal(one.session.incarnation, two.session.incarnation);
  await using source = await one.allocate({ size: MIB, name: 'source' });
  await using target = await two.allocate({ size: MIB, name: 'target' });
  await two.transfer({ fill: { to: target, pattern: 0xffffffff } });
  source.map().bytes.set([5, 6, 7, 8], 100);
  const copy = { from: { name: 'source' }, fromOffset: 100, to: target, toOffset: 200n, size: 4 };
  const { sizeBytes, durationNs } = await two.transfer({ copy });
  t.equal(sizeBytes, 4n);
  t.ok(durationNs > 0n, 'the duration is reported');
  t.same(
    [...target.map({ offset: 199, length: 6 }).bytes],
    [255, 5, 6, 7, 8, 255],
    'only the requested range was copied',
  );
  t.same(
    (await one.list()).map(({ name }) => name),
    ['source', 'target'],
    'both clients see both allocations',
  );
  await one.free(target);
  await two.free({ id: source.id });
});

async function assertNoLeaksAfter(
  t: Test,
  client: { close(): Promise<void> },
  runtimeDir: string,
): Promise<void> {
  await client.close();
  await assertNoLeaks(t, runtimeDir);
}
