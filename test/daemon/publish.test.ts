/** Publish: grants before and after, refusals, and memory that a client sealed itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { connect, connectControl } from '@vkmemd/client';
import { addSeals, mapFd, type OwnedFd, SEALS } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { root, startInProcess as startDaemon } from '../support/daemon.js';

const SIZE = 65_536;
const PATIENCE_MS = 60_000;

t.test('after Publish the memory can only be read', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using other = await connect({ runtimeDir });
  const memory = await client.allocate({ size: SIZE, name: 'model', publishable: true });
  t.match(memory.allocation, { publishable: true, published: false });
  const { bytes } = memory.map();
  bytes.fill(1);
  using old = memory.fd('MAPPABLE');

  const published = await memory.publish();
  t.match(published, { id: memory.id, published: true });
  t.match(await other.get(memory), { published: true });
  bytes.fill(2);
  t.equal(bytes[0], 2, 'an existing writable mapping stays writable');
  t.throws(
    () => memory.map(),
    { code: 'NOT_MAPPABLE' },
    'a new writable mapping fails, also with an earlier fd',
  );
  t.throws(() => mapFd(old, { offset: 0n, length: SIZE, access: 'rw' }), { code: 'NOT_MAPPABLE' });

  await t.rejects(other.claim(memory), { code: 'PUBLISHED' });
  await t.rejects(client.claim(memory), { code: 'PUBLISHED' }, 'the owner is refused too');
  const reader = await other.claim(memory, { access: 'ro' });
  t.match(reader.grants, [{ access: 'ACCESS_READ_ONLY', readOnly: 'READ_ONLY_STRENGTH_ENFORCED' }]);
  t.equal(reader.map({ access: 'ro' }).bytes[0], 2);

  await using copy = await client.allocate({ size: SIZE });
  await t.rejects(client.transfer({ fill: { to: memory, pattern: 1 } }), { code: 'PUBLISHED' });
  await t.rejects(client.transfer({ copy: { from: copy, to: memory } }), { code: 'PUBLISHED' });
  await client.transfer({ copy: { from: memory, to: copy } });
  t.equal(copy.map().bytes[SIZE - 1], 2, 'it can be copied from');
  await client.transfer({ sync: memory });
  t.match(await client.publish({ name: 'model' }), { published: true }, 'a second Publish succeeds');
  await using control = connectControl({ runtimeDir });
  t.match(await control.publish({ name: 'model' }), { published: true }, 'on both sockets');
  await reader.release();
  await memory.free();
});

t.test('memory that is not publishable is refused', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await t.rejects(client.allocate({ size: SIZE, kinds: ['DMA_BUF'], publishable: true }), {
    code: /^(NOT_PUBLISHABLE|KIND_UNSUPPORTED)$/, // as the driver has dma-bufs or not
  });
  const { heaps } = await client.budget();
  t.ok(
    heaps.every(({ liveBytes, reservedBytes }) => liveBytes + reservedBytes === 0n),
    'nothing was charged',
  );
  await using plain = await client.allocate({ size: SIZE });
  await t.rejects(plain.publish(), { code: 'NOT_PUBLISHABLE', message: /not allocated/ });
  await t.rejects(client.publish({ name: 'nothing' }), { code: 'NOT_FOUND' });
  await using sealed = await client.allocate({ size: SIZE, publishable: true });
  using fd = sealed.fd('MAPPABLE');
  addSeals(fd, SEALS.SEAL);
  await t.rejects(sealed.publish(), { code: 'NOT_PUBLISHABLE', message: /sealed it/ });
  await (await client.claim(sealed)).release();
  t.match(await client.get(sealed), { published: false }, 'its state is unchanged');
});

t.test('memory that a client seals itself counts as published', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using memory = await client.allocate({ size: SIZE, publishable: true });
  using fd = memory.fd('MAPPABLE');
  t.throws(
    () => addSeals(fd, SEALS.WRITE),
    { code: 'EBUSY' },
    "the device's own mapping prevents F_SEAL_WRITE",
  );
  addSeals(fd, SEALS.FUTURE_WRITE);
  await t.rejects(client.claim(memory), { code: 'PUBLISHED' }, 'after F_SEAL_FUTURE_WRITE it is published');
  await t.rejects(client.transfer({ fill: { to: memory, pattern: 1 } }), { code: 'PUBLISHED' });
  t.match(await client.get(memory), { published: true });
  t.match(await memory.publish(), { published: true });
  const reader = await client.claim(memory, { access: 'ro' });
  t.match(reader.grants, [{ readOnly: 'READ_ONLY_STRENGTH_ENFORCED' }]);
  await reader.release();
});

t.test('only the session that holds the write lock can publish', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using other = await connect({ runtimeDir });
  const options = { size: SIZE, name: 'model', publishable: true, sharing: 'ONE_WRITER' } as const;
  const memory = await client.allocate(options);
  await t.rejects(other.publish(memory), { code: 'BUSY' });
  const wait = t.rejects(other.claim(memory, { waitMs: PATIENCE_MS }), { code: 'PUBLISHED' });
  await client.budget();
  await memory.publish();
  await wait;
  t.pass('a claim that waits to write fails');
  const reader = await other.claim(memory, { access: 'ro' });
  t.equal(reader.grants.length, 1);
  await reader.release();
  await memory.free();
});

t.test('published OPAQUE_FD memory is granted read-only, which is advisory', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using other = await connect({ runtimeDir });
  const kinds = ['OPAQUE_FD'] as const;
  const memory = await client.allocate({ size: SIZE, kinds, name: 'weights', publishable: true });
  await client.transfer({ fill: { to: memory, pattern: 0x01010101 } });
  t.match(await memory.publish(), { id: memory.id, published: true });
  t.match(await other.get(memory), { publishable: true, published: true });
  await t.rejects(other.claim(memory, { kinds }), { code: 'PUBLISHED', message: /as OPAQUE_FD/ });
  await t.rejects(client.claim(memory, { kinds }), { code: 'PUBLISHED' }, 'the owner is refused too');
  const reader = await other.claim(memory, { kinds, access: 'ro' });
  t.match(reader.grants, [{ access: 'ACCESS_READ_ONLY', readOnly: 'READ_ONLY_STRENGTH_ADVISORY' }]);
  await using copy = await client.allocate({ size: SIZE });
  await t.rejects(client.transfer({ fill: { to: memory, pattern: 2 } }), { code: 'PUBLISHED' });
  await t.rejects(client.transfer({ copy: { from: copy, to: memory } }), { code: 'PUBLISHED' });
  await client.transfer({ copy: { from: memory, to: copy } });
  t.equal(copy.map().bytes[SIZE - 1], 1, 'it can be copied from');
  t.match(await client.publish({ name: 'weights' }), { published: true }, 'a second Publish succeeds');
  await reader.release();
  await memory.free();
});

t.test('only the session that holds the write lock can publish OPAQUE_FD memory', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using other = await connect({ runtimeDir });
  const kinds = ['OPAQUE_FD'] as const;
  const options = { size: SIZE, kinds, name: 'weights', publishable: true, sharing: 'ONE_WRITER' } as const;
  const memory = await client.allocate(options);
  await t.rejects(other.publish(memory), { code: 'BUSY' }, 'another session has an OPAQUE_FD to write');
  t.match(await client.get(memory), { published: false });
  const wait = t.rejects(other.claim(memory, { kinds, waitMs: PATIENCE_MS }), { code: 'PUBLISHED' });
  await client.budget();
  await memory.publish();
  await wait;
  t.pass('a claim that waits to write fails');
  const plain = await client.allocate({ size: SIZE, kinds });
  await t.rejects(plain.publish(), { code: 'NOT_PUBLISHABLE', message: /not allocated/ });
  await plain.free();
  await memory.free();
});

t.test('transfers concurrent with Publish are complete before it or refused', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  for (let round = 0; round < 8; round += 1) {
    const memory = await client.allocate({ size: 16 * SIZE, publishable: true, name: `round-${round}` });
    const fills = [1, 2, 3].map((pattern) =>
      client.transfer({ fill: { to: memory, pattern } }).catch(({ code }) => code),
    );
    await new Promise((resolve) => setTimeout(resolve, round));
    await client.publish(memory);
    const before = Buffer.from(memory.map({ access: 'ro' }).bytes);
    const codes = (await Promise.all(fills)).filter((code) => typeof code === 'string');
    t.ok(
      codes.every((code) => code === 'PUBLISHED'),
      codes.join(),
    );
    t.ok(before.equals(memory.map({ access: 'ro' }).bytes), 'no byte changes after Publish has answered');
    await memory.free();
  }
});

/** A child of this process that pins the pages of a memfd, and keeps no mapping and no fd of it. */
async function pin(t: Test, fd: OwnedFd): Promise<ChildProcess | undefined> {
  const program = join(root, 'test/native/build/pin');
  const child = spawn(program, [String(SIZE)], { stdio: ['pipe', 'pipe', 'inherit', fd.fd] });
  t.teardown(() => child.kill('SIGKILL'));
  const said = await Promise.race([once(child.stdout as Readable, 'data'), once(child, 'close')]);
  return String(said[0]) === 'pinned\n' ? child : undefined;
}

t.test('Publish is refused while a writer, or a child of one, has pinned pages', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  const memory = await client.allocate({ size: SIZE, name: 'pinned', publishable: true });
  const fd = memory.fd('MAPPABLE');
  const child = await pin(t, fd);
  fd.close();
  if (!child) {
    await memory.free();
    return t.pass('the kernel refuses io_uring: nothing can be pinned here', { skip: true });
  }
  await t.rejects(memory.publish(), {
    code: 'PAGES_PINNED',
    message: new RegExp(`Process ${child.pid},.* has pinned ${SIZE} bytes`),
    metadata: { pid: String(child.pid), pinned_bytes: String(SIZE) },
  });
  t.match(await client.get(memory), { published: false }, 'and nothing is sealed');
  child.stdin?.end();
  await once(child, 'close');
  t.match(await memory.publish(), { published: true }, 'once they are unpinned it is published');
  await memory.free();
});
