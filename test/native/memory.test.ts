/** Memfds, the lease that shows who holds them, and the end of mappings. */

import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import {
  addSeals,
  Connection,
  createMemfd,
  heldElsewhere,
  mapFd,
  type OwnedFd,
  readSeals,
  reopenMemfd,
  SEALS,
  seqpacketPair,
  sizeOf,
  unmapped,
} from '@vkmemd/proto';
import t from 'tap';
import { isCloexec, openFds, sameFds, until } from './open-fds.js';

const MIB = 1 << 20;
const mapsWith = (name: string) =>
  readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((l) => l.includes(name));

t.test('a memfd is allocated, private to the user, and of a fixed size', async (t) => {
  const before = openFds();
  using fd = await createMemfd('vkmem-test', BigInt(MIB));
  t.ok(isCloexec(fd.fd));
  t.match(readlinkSync(`/proc/self/fd/${fd.fd}`), /^\/memfd:vkmem-test/);
  t.equal(sizeOf(fd), BigInt(MIB));
  const status = statSync(`/proc/self/fd/${fd.fd}`);
  t.equal(status.mode & 0o7777, 0o600);
  t.equal(status.blocks * 512, MIB, 'every page is allocated');
  const wanted = SEALS.SHRINK | SEALS.GROW | SEALS.SEAL;
  t.equal(readSeals(fd) & wanted, wanted);
  t.throws(() => addSeals(fd, SEALS.WRITE), { code: 'NOT_PERMITTED' });
  fd.close();
  await sameFds(t, before);
});

t.test('writing to an unsealed memfd can be sealed later', async (t) => {
  const before = openFds();
  using fd = await createMemfd('vkmem-publish', 4096n, { sealed: false });
  addSeals(fd, SEALS.FUTURE_WRITE);
  t.ok(readSeals(fd) & SEALS.FUTURE_WRITE);
  t.throws(() => mapFd(fd, { offset: 0n, length: 4096, access: 'rw' }), {
    code: 'NOT_MAPPABLE',
    reason: /EPERM/,
  });
  using reader = mapFd(fd, { offset: 0n, length: 4096, access: 'ro' });
  t.equal(reader.buffer.byteLength, 4096);
  fd.close();
  await sameFds(t, before);
});

t.test('impossible sizes are refused, without the OOM killer', async (t) => {
  const before = openFds();
  await t.rejects(createMemfd('zero', 0n), { code: 'INVALID_SIZE' });
  await t.rejects(createMemfd('negative', -1n), { code: 'INVALID_SIZE' });
  for (const size of [1n << 46n, (1n << 63n) - 1n, 1n << 63n, 1n << 80n]) {
    await t.rejects(createMemfd('large', size), { code: 'DEVICE_OUT_OF_MEMORY' });
  }
  await t.rejects(createMemfd('n'.repeat(250), 4096n), { code: 'INVALID_ARGUMENT' });
  await sameFds(t, before);
});

t.test('heldElsewhere(): open, read-only, mapped and in flight count; our own do not', async (t) => {
  const before = openFds();
  const fd = await createMemfd('vkmem-held', BigInt(MIB));
  t.equal(heldElsewhere(fd), false, 'no other process');
  const own = mapFd(fd, { offset: 0n, length: MIB, access: 'rw' });
  t.equal(heldElsewhere(fd), false, 'our own mapping');

  for (const access of ['rw', 'ro'] as const) {
    const grant = reopenMemfd(fd, access);
    t.equal(heldElsewhere(fd), true, `${access}: open`);
    const mapping = mapFd(grant, { offset: 0n, length: MIB, access });
    grant.close();
    t.equal(heldElsewhere(fd), true, `${access}: mapped, with its fd closed`);
    mapping.unmap();
    await until(() => heldElsewhere(fd) === false);

    const [left, right] = seqpacketPair();
    let closed = 0;
    const count = { message() {}, close: () => closed++ };
    const sender = new Connection(left, count);
    sender.send(Buffer.from('grant'), [reopenMemfd(fd, access)]);
    t.equal(heldElsewhere(fd), true, `${access}: in flight`);
    right.close();
    t.equal(heldElsewhere(fd), false, `${access}: lost with the socket`);
    sender.close();
    await until(() => closed === 1);
  }
  own.unmap();
  fd.close();
  await sameFds(t, before);
});

t.test('heldElsewhere() is undefined where there are no leases', async (t) => {
  const before = openFds();
  const [left, right] = seqpacketPair();
  t.equal(heldElsewhere(left), undefined);
  left.close();
  right.close();
  await sameFds(t, before);
});

t.test(
  'unmap() empties every view at once, and a thread that two turns of the event loop begin frees the memory',
  async (t) => {
    const before = openFds();
    const fd = await createMemfd('vkmem-unmap', BigInt(MIB));
    const mapping = mapFd(fd, { offset: 0n, length: MIB, access: 'rw' });
    fd.close();
    const view = new Uint8Array(mapping.buffer);
    const words = new BigUint64Array(mapping.buffer, 4096, 10);
    view.fill(7);
    t.equal(words[0], 0x0707070707070707n);
    t.equal(mapsWith('vkmem-unmap').length, 1);
    mapping.unmap();
    mapping.unmap();
    t.equal(mapping.mapped, false);
    t.strictSame([mapping.buffer.byteLength, view.length, words.length, view[0]], [0, 0, 0, undefined]);
    await turn();
    await turn();
    await unmapped();
    t.equal(mapsWith('vkmem-unmap').length, 0);
    await sameFds(t, before);
  },
);

t.test('a transferred buffer keeps the memory after unmap()', async (t) => {
  const before = openFds();
  using fd = await createMemfd('vkmem-transfer', 4096n);
  const mapping = mapFd(fd, { offset: 0n, length: 4096, access: 'rw' });
  const buffer = mapping.buffer as ArrayBuffer & { transfer?: () => ArrayBuffer };
  if (buffer.transfer === undefined) {
    t.comment(`Node ${process.version} has no ArrayBuffer.prototype.transfer`);
    mapping.unmap();
  } else {
    const moved = new Uint8Array(buffer.transfer());
    t.equal(mapping.mapped, false);
    mapping.unmap();
    await turn();
    await turn();
    moved.fill(1);
    t.equal(mapsWith('vkmem-transfer').length, 1);
  }
  fd.close();
  await sameFds(t, before);
});

t.test(
  'a rw mapping is shared, a ro mapping shows its writes, and a write through ro stays private',
  async (t) => {
    const before = openFds();
    const fd = await createMemfd('vkmem-share', 8192n);
    const grant = reopenMemfd(fd, 'ro');
    t.throws(() => mapFd(grant, { offset: 0n, length: 8192, access: 'rw' }), {
      code: 'NOT_MAPPABLE',
      reason: /EACCES/,
    });
    const one = mapFd(fd, { offset: 0n, length: 8192, access: 'rw' });
    const two = mapFd(fd, { offset: 4096n, length: 4096, access: 'rw' });
    const ro = mapFd(grant, { offset: 0n, length: 8192, access: 'ro' });
    const [a, b, c] = [one, two, ro].map((mapping) => new Uint8Array(mapping.buffer)) as Uint8Array[] as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    b[0] = 42;
    t.equal(a[4096], 42);
    t.equal(c[4096], 42);
    c[4096] = 1;
    t.strictSame([a[4096], b[0], c[4096]], [42, 42, 1]);
    a[0] = 9;
    t.equal(c[0], 9, 'other pages still follow');
    for (const mapping of [one, two, ro]) mapping.unmap();
    for (const each of [fd, grant]) each.close();
    await sameFds(t, before);
  },
);

t.test('ranges outside the file, unaligned or empty are refused', async (t) => {
  const before = openFds();
  const fd: OwnedFd = await createMemfd('vkmem-range', 8192n);
  for (const [offset, length] of [
    [0n, 0],
    [0n, -1],
    [0n, 1.5],
    [0n, 8193],
    [4096n, 4097],
    [8192n, 1],
    [1n, 4096],
    [-4096n, 4096],
    [1n << 62n, 4096],
    [0n, Number.MAX_VALUE],
  ] as const) {
    t.throws(
      () => mapFd(fd, { offset, length, access: 'rw' }),
      { code: 'INVALID_RANGE' },
      `${length} at ${offset}`,
    );
  }
  const [left, right] = seqpacketPair();
  t.throws(() => mapFd(left, { offset: 0n, length: 4096, access: 'rw' }), {
    code: 'NOT_MAPPABLE',
    reason: /ENODEV/,
  });
  for (const each of [left, right, fd]) each.close();
  await sameFds(t, before);
});
