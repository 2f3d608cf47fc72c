/**
 * Mappings of dma-bufs: access is started and ended for every mapping, and no resource remains if the start
 * fails. The daemon and the kernel's dma-bufs are fakes; the program between them is real.
 */
import { fileURLToPath } from 'node:url';
import { createMemfd, type OwnedFd } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { runOnFake } from '../native/fake-dma-buf.js';
import { ALLOCATION, GRANT, type Script, startFakeDaemon } from './fake-daemon.js';
import { connected } from './support.js';

const PROGRAM = fileURLToPath(new URL('./dma-buf-program.js', import.meta.url));
const EIO = 5;

/** A daemon whose only allocation is a file that it declares to be a dma-buf; it counts releases. */
async function startWithDmaBuf(t: Test) {
  const file: OwnedFd = await createMemfd('vkmem-no-dma-buf', 4096n);
  t.teardown(() => file.close());
  let releases = 0;
  const script: Script = ({ sequence, body }) => {
    if (body === 'release') {
      releases += 1;
      return [{ message: { sequence, release: {} } }];
    }
    const allocate = { allocation: ALLOCATION, grants: [{ ...GRANT, dmaBufSync: true }] };
    return [{ message: { sequence, fdCount: 1, allocate }, fds: [file.dup()] }];
  };
  return { runtimeDir: startFakeDaemon(t, script).runtimeDir, releases: () => releases };
}

async function run(t: Test, end: 'unmap' | 'release' | 'close', errnos: readonly number[] = []) {
  const { runtimeDir, releases } = await startWithDmaBuf(t);
  const { code, stdout, stderr, calls } = await runOnFake(t, [PROGRAM, runtimeDir, end], errnos);
  t.same({ code, stderr }, { code: 0, stderr: '' });
  t.match(
    JSON.parse(stdout),
    { released: true, leaked: false, mapped: false },
    'the memory is released, unmapped, and no fd leaked',
  );
  return { failed: (JSON.parse(stdout) as { failed: string[] }).failed, calls, releases: releases() };
}

t.test('each mapping starts, synchronises and ends separately', async (t) => {
  t.same(await run(t, 'unmap'), {
    failed: [],
    calls: [
      'start rw 0',
      'end rw 0',
      'start rw 0', // sync
      'start read 0', // the second map
      'end read 0',
      'end rw 0',
    ],
    releases: 1,
  });
});

t.test('releasing the memory or closing the client ends the access', async (t) => {
  const calls = ['start rw 0', 'end rw 0', 'start rw 0', 'end rw 0'];
  t.same(await run(t, 'release'), { failed: [], calls, releases: 1 });
  t.same(await run(t, 'close'), { failed: [], calls, releases: 0 });
});

t.test('a mapping whose start fails is undone', async (t) => {
  t.same(await run(t, 'release', [EIO]), {
    failed: ['map: NOT_MAPPABLE EIO'],
    calls: ['start rw 5'],
    releases: 1,
  });
});

t.test('a failed end is reported, and everything is released nevertheless', async (t) => {
  const calls = ['start rw 0', 'end rw 0', 'start rw 0', 'end rw 5'];
  const errnos = [0, 0, 0, EIO];
  t.same(await run(t, 'release', errnos), { failed: ['release: NOT_MAPPABLE EIO'], calls, releases: 1 });
  t.same(await run(t, 'close', errnos), { failed: ['close: NOT_MAPPABLE EIO'], calls, releases: 0 });
});

t.test('an fd that is not a dma-buf is not mapped as one', async (t) => {
  const { runtimeDir } = await startWithDmaBuf(t);
  const client = await connected(t, runtimeDir);
  const memory = await client.allocate({ size: 4096 });
  t.throws(() => memory.map(), { code: 'NOT_MAPPABLE', metadata: { errno: 'ENOTTY' } });
  await memory.release();
});

t.test('sync() does nothing on memory that does not need it', async (t) => {
  const file: OwnedFd = await createMemfd('vkmem-plain', 4096n);
  t.teardown(() => file.close());
  const { runtimeDir } = startFakeDaemon(t, ({ sequence }) => [
    {
      message: { sequence, fdCount: 1, allocate: { allocation: ALLOCATION, grants: [GRANT] } },
      fds: [file.dup()],
    },
  ]);
  const client = await connected(t, runtimeDir);
  const map = (await client.allocate({ size: 4096 })).map();
  map.bytes[0] = 7;
  map.sync();
  t.equal(map.bytes[0], 7);
  map.unmap();
  map.sync();
});
