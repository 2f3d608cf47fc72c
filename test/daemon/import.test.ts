/**
 * Importing a client's own memory as an allocation: who may import, what is checked before a driver gets the
 * fd, and when the fd is closed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Client, connect, type ImportOptions, type Memory } from '@vkmemd/client';
import { addSeals, createMemfd, mapFd, type OwnedFd, reopenMemfd, SEALS } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { assertCounts, startDaemon, temporaryFolder } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { HandoffWire } from '../support/handoff-wire.js';

const SIZE = 65_536n;
const uid = process.getuid?.() ?? 0;
/** The fds of a process that are not sockets: connections open and close at any time. */
function fdsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  const targets = readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(join(folder, fd))];
    } catch {
      return []; // It was closed meanwhile.
    }
  });
  return targets.filter((target) => !target.startsWith('socket:')).sort();
}

/** Asserts that a process has these fds. The daemon closes fds of clients on threads, after its answer. */
async function hasOnly(t: Test, pid: number, fds: readonly string[], what: string): Promise<void> {
  for (const end = Date.now() + 10_000; Date.now() < end && !isDeepStrictEqual(fdsOf(pid), fds); ) {
    await sleep(10);
  }
  t.same(fdsOf(pid), fds, what);
}

interface StartOptions {
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** A daemon that lets this user import, and a client of it. */
async function start(t: Test, { args = [], env }: StartOptions = {}) {
  const daemon = await startDaemon(t, {
    args: ['--allow-import', String(uid), ...args],
    ...(env && { env }),
  });
  const client = await connect({ runtimeDir: daemon.runtimeDir });
  t.teardown(() => client.close());
  // By the control socket: its connection has an fd in the daemon from now on.
  await client.control.budget();
  return { ...daemon, client };
}

/** The bytes of any memory, read through a copy on the device. */
async function bytesOf(client: Client, memory: Memory): Promise<Buffer> {
  const copy = await client.allocate({ size: memory.size });
  await client.transfer({ copy: { from: memory, to: copy } });
  const bytes = Buffer.from(copy.map().bytes);
  await copy.free();
  return bytes;
}

async function filledMemfd(pattern: number): Promise<OwnedFd> {
  const memfd = await createMemfd('test', SIZE);
  using mapping = mapFd(memfd, { offset: 0n, length: Number(SIZE), access: 'rw' });
  Buffer.from(mapping.buffer).fill(pattern);
  return memfd;
}

t.test('a user that --allow-import does not name may not import, operators included', async (t) => {
  const { runtimeDir } = await startDaemon(t, { args: ['--allow-import', '4242'] });
  await using client = await connect({ runtimeDir });
  using memfd = await filledMemfd(1);
  await t.rejects(client.importMemory({ fd: memfd, source: 'MEMFD' }), {
    code: 'NOT_PERMITTED',
    message: /--allow-import/,
  });
});

t.test('an imported memfd shares its bytes with the device, in both directions', async (t) => {
  const { client, pid, runtimeDir } = await start(t);
  const before = fdsOf(pid);
  const memfd = await filledMemfd(0x5a);
  const memory = await client.importMemory({ fd: memfd, source: 'MEMFD', name: 'mine' });
  t.match(memory.allocation, { imported: true, sizeBytes: SIZE, kinds: [] });
  t.ok(
    (await bytesOf(client, memory)).equals(Buffer.alloc(Number(SIZE), 0x5a)),
    "the device reads the memfd's bytes",
  );

  await client.transfer({ fill: { to: memory, pattern: 0x01010101 } });
  using mapping = mapFd(memfd, { offset: 0n, length: Number(SIZE), access: 'rw' });
  t.ok(Buffer.from(mapping.buffer).equals(Buffer.alloc(Number(SIZE), 1)), 'and writes them');

  await t.rejects(
    client.claim({ name: 'mine' }),
    { code: 'NOT_MAPPABLE' },
    'an import cannot be granted as MAPPABLE',
  );
  const { freed } = await memory.free();
  t.equal(freed, true, 'the client holds the bytes itself: nothing drains');
  t.equal(Buffer.from(mapping.buffer)[0], 1, 'the client keeps the bytes');
  memfd.close();
  await assertCounts(t, runtimeDir, { sessions: 1 });
  await hasOnly(t, pid, before, 'the daemon keeps no fd');
});

t.test('an image of DRM format modifiers is not imported: the request has no planes', async (t) => {
  const { client } = await start(t);
  using memfd = await filledMemfd(1);
  const image = { format: 37, width: 8, usage: 1, tiling: 'DRM_FORMAT_MODIFIER' } as const;
  await t.rejects(client.importMemory({ fd: memfd, source: 'MEMFD', image }), {
    code: 'INVALID_ARGUMENT',
    metadata: { field: 'image.tiling' },
  });
});

t.test('a granted memfd may be imported again', async (t) => {
  const { client } = await start(t);
  const first = await client.allocate({ size: SIZE });
  using fd = first.fd('MAPPABLE');
  const second = await client.importMemory({ fd, source: 'MEMFD' });
  await client.transfer({ fill: { to: second, pattern: 0x77777777 } });
  t.equal(first.map().bytes[0], 0x77, 'both allocations have the same bytes');
  await second.free();
  await first.free();
});

t.test('an OPAQUE_FD can be imported only with its size, type and UUIDs', async (t) => {
  const { client } = await start(t);
  const first = await client.allocate({ size: SIZE, kinds: ['OPAQUE_FD'] });
  await client.transfer({ fill: { to: first, pattern: 0x42424242 } });
  const [grant] = first.grants;
  if (!grant) throw new Error('no grant');
  using fd = first.fd('OPAQUE_FD');
  const { memoryTypeIndex, deviceUuid, driverUuid } = grant;
  const good: ImportOptions = {
    fd,
    source: 'OPAQUE_FD',
    size: SIZE,
    memoryTypeIndex,
    deviceUuid,
    driverUuid,
    kinds: ['OPAQUE_FD'],
  };
  const second = await client.importMemory(good);
  t.ok((await bytesOf(client, second)).equals(Buffer.alloc(Number(SIZE), 0x42)));
  t.match(
    second.grants,
    [{ kind: 'KIND_OPAQUE_FD', allocationSizeBytes: SIZE, fdCount: 1 }],
    'it can be granted again',
  );
  using retried = second.fd('OPAQUE_FD');
  t.ok(retried.open);

  const other = Buffer.alloc(16, 9);
  await t.rejects(client.importMemory({ ...good, driverUuid: other }), { code: 'INVALID_HANDLE' });
  await t.rejects(client.importMemory({ ...good, deviceUuid: other }), { code: 'INVALID_HANDLE' });
  await t.rejects(client.importMemory({ ...good, memoryTypeIndex: 31 }), { code: 'INVALID_ARGUMENT' });
  await t.rejects(client.importMemory({ ...good, size: 1n << 40n }), {
    // A device node has no size; then the heap's size is the limit.
    code: /^(INVALID_SIZE|SIZE_ABOVE_MAXIMUM)$/,
  });
  await t.rejects(client.importMemory({ ...good, kinds: ['MAPPABLE'] }), { code: 'NOT_MAPPABLE' });
  await t.rejects(client.importMemory({ ...good, kinds: ['DMA_BUF'] }), { code: 'KIND_UNSUPPORTED' });
  const device = openSync('/dev/null', 'r+');
  await t.rejects(client.importMemory({ ...good, fd: device }), { code: 'INVALID_HANDLE' });
  closeSync(device);
  await second.free();
  await first.free();
});

t.test('an fd that does not match its description is rejected before a driver call', async (t) => {
  const layer = new FakeLayer(t);
  const { client, pid, runtimeDir } = await start(t, { env: layer.environment });
  const before = fdsOf(pid);
  const file = openSync(join(temporaryFolder(t), 'file'), 'w+');
  // The kernel's files of a tmpfs are like memfds that may have no seals.
  const notMemfd = /not a memfd|must be sealed/;
  const good = await createMemfd('good', SIZE);
  const open = await createMemfd('open', SIZE, { sealed: false });
  addSeals(open, SEALS.FUTURE_WRITE);
  const cases: [string, number, Partial<ImportOptions>, string, RegExp][] = [
    ['a file', file, {}, 'INVALID_HANDLE', notMemfd],
    ['a device', openSync('/dev/zero', 'r+'), {}, 'INVALID_HANDLE', /not a memfd/],
    ['read-only', reopenMemfd(good, 'ro').take(), {}, 'INVALID_HANDLE', /not open for reading and writing/],
    ['sealed against writing', open.take(), {}, 'INVALID_HANDLE', /sealed against writing/],
    ['a wrong size', good.dup().take(), { size: 4096n }, 'INVALID_SIZE', /65536 bytes; 4096 were requested/],
    ['a memfd as a dma-buf', good.dup().take(), { source: 'DMA_BUF' }, 'KIND_UNSUPPORTED', /dma_buf/],
    [
      'as DMA_BUF',
      good.dup().take(),
      { kinds: ['DMA_BUF'] },
      'KIND_UNSUPPORTED',
      /can only be granted as OPAQUE_FD/,
    ],
    ['to be mapped', good.dup().take(), { kinds: ['MAPPABLE'] }, 'NOT_MAPPABLE', /never exported/],
    ['an invalid memory type', good.dup().take(), { memoryTypeIndex: 30 }, 'INVALID_ARGUMENT', /30/],
  ];
  for (const [what, fd, more, code, message] of cases) {
    const calls = layer.calls().length;
    const refused = client.importMemory({ fd, source: 'MEMFD', ...more });
    await t.rejects(refused, { code, message }, what);
    t.equal(layer.calls().length, calls, `${what}: the driver was not called`);
    closeSync(fd);
  }
  good.close();
  await assertCounts(t, runtimeDir, { sessions: 1 });
  await hasOnly(t, pid, before, 'the fds of refused imports are closed');
});

t.test('a memfd with holes or without size seals is rejected', async (t) => {
  const { client } = await start(t);
  // The allocation of a missing page could fail, which would end the daemon by SIGBUS.
  for (const [seals, message] of [
    [SEALS.SHRINK | SEALS.GROW, /Only 0 of the memfd's 65536 bytes/],
    [SEALS.SHRINK, /F_SEAL_GROW/],
    [SEALS.GROW, /F_SEAL_SHRINK/],
  ] as const) {
    const { fd, end } = await sparseMemfd(seals);
    await t.rejects(client.importMemory({ fd, source: 'MEMFD' }), { code: 'INVALID_HANDLE', message });
    closeSync(fd);
    await end();
  }
});

/** A memfd without pages, which our own createMemfd() does not make; a Python process holds it. */
async function sparseMemfd(seals: number): Promise<{ fd: number; end: () => Promise<void> }> {
  const program = [
    'import fcntl, os, sys',
    'fd = os.memfd_create("sparse", os.MFD_ALLOW_SEALING)',
    `os.ftruncate(fd, ${SIZE})`,
    `fcntl.fcntl(fd, 1033, ${seals})`,
    'print(fd, flush=True)',
    'sys.stdin.read()',
  ];
  const child = spawn('python3', ['-c', program.join('\n')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  const [number] = await once(child.stdout.setEncoding('utf8'), 'data');
  return {
    fd: openSync(`/proc/${child.pid}/fd/${Number(number)}`, 'r+'),
    end: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

t.test('fds in a message that carries none end the connection, and are closed', async (t) => {
  const { pid, runtimeDir } = await start(t);
  const before = fdsOf(pid);
  for (const body of [
    { free: { allocation: { name: 'x' } } },
    { allocate: { sizeBytes: 1n, kinds: ['KIND_MAPPABLE'] } },
  ] as const) {
    const wire = await HandoffWire.open(runtimeDir);
    wire.send(body, [await createMemfd('stray', 4096n)]);
    t.match((await wire.next()).message.error, { message: /PROTOCOL|carries 0/ });
    await wire.closed;
  }
  const wire = await HandoffWire.open(runtimeDir);
  wire.send({ import: { source: 'KIND_MAPPABLE' } });
  t.match((await wire.next()).message.error, { message: /carries 1/ }, 'an import without its fd');
  await wire.closed;
  await assertCounts(t, runtimeDir, { sessions: 1 });
  await hasOnly(t, pid, before, 'the stray fds are closed');
});
