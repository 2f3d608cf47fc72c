/**
 * Importing: the request and the fd on the wire; the caller keeps its own fd. The daemon is a fake that
 * records what it received.
 */
import { closeSync, fstatSync, openSync, readdirSync } from 'node:fs';
import { type ImportOptions, OwnedFd } from '@vkmemd/client';
import { createMemfd, type Decoded, VkmemError } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { ALLOCATION, GRANT, type Script, startFakeDaemon } from './fake-daemon.js';
import { connected } from './support.js';

const UUID = Uint8Array.from({ length: 16 }, (_, at) => at);
const openFds = () => readdirSync('/proc/self/fd').length;
/** Passes a value of any type, as JavaScript code can. */
const any = (value: unknown) => value as never;

interface Received {
  readonly request: Decoded<'ClientMessage'>;
  /** The inodes of the received fds. */
  readonly inodes: number[];
}

/** A daemon that imports whatever it receives, and grants a duplicate of it where requested. */
function startImporter(t: Test) {
  const received: Received[] = [];
  const script: Script = (request, fds) => {
    received.push({ request, inodes: fds.map(({ fd }) => fstatSync(fd).ino) });
    const { sequence, import: asked, body } = request;
    if (!asked) return [{ message: { sequence, [body ?? '']: {} } }];
    const kinds = asked.grantKinds;
    const grants = kinds.map((kind) => ({ ...GRANT, kind, mapSizeBytes: 0n }));
    const copies = grants.flatMap(() => fds.map((fd) => fd.dup()));
    const allocation = { ...ALLOCATION, kinds: asked.kinds, imported: true };
    return [{ message: { sequence, fdCount: copies.length, import: { allocation, grants } }, fds: copies }];
  };
  return { runtimeDir: startFakeDaemon(t, script).runtimeDir, received };
}

t.test("importMemory() sends a duplicate of a memfd and keeps the caller's fd open", async (t) => {
  const { runtimeDir, received } = startImporter(t);
  const client = await connected(t, runtimeDir);
  using fd = await createMemfd('vkmem-mine', 8192n);
  const before = openFds();
  const memory = await client.importMemory({ fd, source: 'MEMFD', name: 'mine' });
  t.match(received[0]?.request, {
    fdCount: 1,
    import: {
      source: 'KIND_MAPPABLE',
      sizeBytes: 0n,
      kinds: [],
      grantKinds: [],
      name: 'mine',
      lifetime: 'LIFETIME_UNSPECIFIED',
    },
  });
  t.equal(received[0]?.request.import?.memoryTypeIndex, undefined, 'the daemon chooses the memory type');
  t.same(received[0]?.inodes, [fstatSync(fd.fd).ino], 'the same file, through an fd of its own');
  t.equal(fd.open, true, "the caller's fd is open");
  t.equal(openFds(), before, 'no duplicate is left open');
  t.equal(memory.allocation.imported, true);
  t.throws(() => memory.map(), { code: 'NOT_MAPPABLE' });
  await memory.release();
});

t.test("an OPAQUE_FD is sent by its number, with the exporter's parameters", async (t) => {
  const { runtimeDir, received } = startImporter(t);
  const client = await connected(t, runtimeDir);
  const before = openFds();
  const fd = openSync('/dev/zero', 'r');
  const asked = client.importMemory({
    fd,
    source: 'OPAQUE_FD',
    size: 65_536,
    memoryTypeIndex: 0,
    deviceUuid: UUID,
    driverUuid: UUID,
    kinds: ['OPAQUE_FD'],
    image: { format: 37, width: 64, height: 64, usage: 3 },
  });
  const { ino } = fstatSync(fd);
  closeSync(fd);
  const memory = await asked;
  t.same(received[0]?.inodes, [ino], 'the caller may close the fd right after the call');
  t.match(received[0]?.request.import, {
    source: 'KIND_OPAQUE_FD',
    sizeBytes: 65_536n,
    memoryTypeIndex: 0,
    kinds: ['KIND_OPAQUE_FD'],
    grantKinds: ['KIND_OPAQUE_FD'],
    image: { format: 37, width: 64, height: 64, depth: 1, usage: 3 },
  });
  t.same(Uint8Array.from(received[0]?.request.import?.deviceUuid ?? []), UUID);
  const granted = memory.fd('OPAQUE_FD');
  t.equal(fstatSync(granted.fd).ino, ino);
  granted.close();
  await memory.release();
  t.equal(openFds(), before);
});

t.test('memory that CUDA made is sent as an OPAQUE_FD of that source', async (t) => {
  const { runtimeDir, received } = startImporter(t);
  const client = await connected(t, runtimeDir);
  using fd = new OwnedFd(openSync('/dev/zero', 'r'), 'test');
  const options = { fd, source: 'CUDA_VMM', size: 2 << 20, deviceUuid: UUID, kinds: ['OPAQUE_FD'] } as const;
  const memory = await client.importMemory({ ...options, name: 'weights' });
  t.match(received[0]?.request.import, {
    source: 'KIND_OPAQUE_FD',
    allocationSource: 'ALLOCATION_SOURCE_CUDA_VMM',
    sizeBytes: 2n << 20n,
    kinds: ['KIND_OPAQUE_FD'],
    name: 'weights',
  });
  const sent = received[0]?.request.import;
  t.equal(sent?.memoryTypeIndex, undefined, 'CUDA has no memory types');
  t.equal(sent?.driverUuid.length, 0, "and does not report the driver's UUID");
  await memory.release();
});

t.test('invalid options are rejected before a request is sent', async (t) => {
  const { runtimeDir, received } = startImporter(t);
  const client = await connected(t, runtimeDir);
  using fd = await createMemfd('vkmem-mine', 4096n);
  const gone = fd.dup();
  gone.close();
  const opaque = { fd, source: 'OPAQUE_FD', size: 4096, memoryTypeIndex: 1, deviceUuid: UUID } as const;
  const cases: [string, ImportOptions, string][] = [
    ['a closed fd', { fd: gone, source: 'MEMFD' }, 'INVALID_ARGUMENT'],
    ['a number that is not an fd', { fd: 1_000_000, source: 'MEMFD' }, 'INVALID_ARGUMENT'],
    ['a negative number', { fd: -1, source: 'MEMFD' }, 'INVALID_ARGUMENT'],
    ['no fd', any({ source: 'MEMFD' }), 'INVALID_ARGUMENT'],
    ['a source that does not exist', { fd, source: any('MAPPABLE') }, 'INVALID_ARGUMENT'],
    ['no source', any({ fd }), 'INVALID_ARGUMENT'],
    ['no bytes', { fd, source: 'DMA_BUF', size: 0 }, 'INVALID_SIZE'],
    ['an OPAQUE_FD without its size', { ...opaque, size: any(undefined), driverUuid: UUID }, 'INVALID_SIZE'],
    [
      'without its memory type',
      { ...opaque, memoryTypeIndex: any(undefined), driverUuid: UUID },
      'INVALID_ARGUMENT',
    ],
    ['without a UUID', opaque, 'INVALID_ARGUMENT'],
    ['CUDA memory without its size', { fd, source: 'CUDA_VMM', deviceUuid: UUID }, 'INVALID_SIZE'],
    ['CUDA memory without its device', { fd, source: 'CUDA_VMM', size: 4096 }, 'INVALID_ARGUMENT'],
    ['with a truncated UUID', { ...opaque, driverUuid: UUID.subarray(8) }, 'INVALID_ARGUMENT'],
    ['a kind that does not exist', { fd, source: 'DMA_BUF', kinds: any(['X']) }, 'KIND_UNSUPPORTED'],
    ['a number as name', { fd, source: 'MEMFD', name: any(5) }, 'INVALID_NAME'],
    ['a buffer without usage', { fd, source: 'MEMFD', buffer: any({}) }, 'INVALID_ARGUMENT'],
  ];
  const before = openFds();
  for (const [what, options, code] of cases) {
    await t.rejects(client.importMemory(options), { code, name: 'VkmemError' }, what);
  }
  t.same(received, []);
  t.equal(openFds(), before);
});

t.test('duplicates of fds are closed when the request is never sent or fails', async (t) => {
  const { runtimeDir } = startFakeDaemon(t, () => []);
  const client = await connected(t, runtimeDir);
  using fd = new OwnedFd(openSync('/dev/zero', 'r'), 'test');
  const before = openFds();
  const unanswered = Array.from({ length: 40 }, () => client.importMemory({ fd, source: 'DMA_BUF' }));
  const refused = Promise.all(unanswered.map((one) => t.rejects(one, { code: 'UNAVAILABLE' })));
  await client.close();
  await refused;
  await t.rejects(client.importMemory({ fd, source: 'DMA_BUF' }), VkmemError);
  t.ok(openFds() < before, 'no duplicate is left, and no connection');
  t.equal(fd.open, true);
});

t.test("a refused import is rejected with the daemon's code", async (t) => {
  const { runtimeDir } = startFakeDaemon(t, ({ sequence }) => [
    { message: { sequence, error: { code: 7, message: 'no' } } },
  ]);
  const client = await connected(t, runtimeDir);
  using fd = await createMemfd('vkmem-mine', 4096n);
  const before = openFds();
  await t.rejects(client.importMemory({ fd, source: 'MEMFD' }), { name: 'VkmemError' });
  t.equal(openFds(), before);
});

t.test('an inconsistent answer is rejected with PROTOCOL_ERROR', async (t) => {
  const { runtimeDir } = startFakeDaemon(t, ({ sequence }, fds) => [
    {
      message: { sequence, fdCount: 1, import: { allocation: ALLOCATION, grants: [] } },
      fds: fds.map((fd) => fd.dup()),
    },
  ]);
  const client = await connected(t, runtimeDir);
  using fd = await createMemfd('vkmem-mine', 4096n);
  await t.rejects(
    client.importMemory({ fd, source: 'MEMFD' }),
    { code: 'PROTOCOL_ERROR' },
    'an fd without a grant',
  );
  await client.closed;
});
