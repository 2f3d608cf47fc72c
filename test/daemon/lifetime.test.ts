/**
 * How memory ends: freed, released, its session closed, its process killed; memory that is still held is
 * reported as such.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Draft, mapFd } from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import {
  assertCounts,
  assertNoLeaks,
  plainEnvironment,
  plainNode,
  startInProcess as startDaemon,
} from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

const KIB64 = 65_536n;
const kinds = ['KIND_MAPPABLE'] as const;
/** An emulated processor of the lab starts a client in seconds. */
const ROUNDS = process.env.VKMEMD_LAB === undefined ? 10 : 3;
const REQUEST: Draft<'AllocateRequest'> = { sizeBytes: KIB64, kinds, grantKinds: kinds };

t.test('SESSION memory ends with its session, NAMED memory stays', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const mine = await wire.ask({ allocate: REQUEST });
  const named = await wire.ask({ allocate: { ...REQUEST, name: 'stays' } });
  for (const fd of [...mine.fds, ...named.fds]) fd.close();
  await assertCounts(t, runtimeDir, { sessions: 1, allocations: 2, grants: 2, fds: 2, deviceMemories: 2 });
  wire.close();
  await assertCounts(t, runtimeDir, { allocations: 1, fds: 1, deviceMemories: 1 });
  const later = await HandoffWire.open(runtimeDir);
  const { message, fds } = await later.ask({ claim: { allocation: { name: 'stays' }, kinds } });
  t.equal(
    message.claim?.allocation?.id,
    named.message.allocate?.allocation?.id,
    'a later session can claim it',
  );
  for (const fd of fds) fd.close();
  const { message: freed } = await later.ask({ free: { allocation: { name: 'stays' } } });
  t.equal(freed.free?.freed, true, 'no process held it');
  later.close();
});

t.test('freed memory that another session was granted drains until it is released', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const owner = await HandoffWire.open(runtimeDir);
  const reader = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  const both = ['KIND_MAPPABLE', 'KIND_OPAQUE_FD'] as const;
  for (const kind of both) {
    const made = await owner.ask({ allocate: { sizeBytes: KIB64, kinds: [kind], name: 'shared' } });
    const id = made.message.allocate?.allocation?.id ?? '';
    const claimed = await reader.ask({ claim: { allocation: { name: 'shared' }, kinds: [kind] } });
    const { message } = await owner.ask({ free: { allocation: { id } } });
    t.match(
      message.free,
      { freed: false, allocation: { state: 'ALLOCATION_STATE_DRAINING', grants: 1 } },
      kind,
    );
    const heap = (await control.budget()).heaps[message.free?.allocation?.heapIndex ?? 0];
    t.match(heap, { liveBytes: 0n, drainingBytes: KIB64 }, 'its bytes are draining, not free');
    t.match((await control.call('ListAllocations', {})).allocations, [
      { id, state: 'ALLOCATION_STATE_DRAINING' },
    ]);
    const gone = { code: 'NOT_FOUND' };
    await t.rejects(
      reader.ask({ claim: { allocation: { id }, kinds: [kind] } }),
      gone,
      'it cannot be claimed',
    );
    await t.rejects(control.call('FreeAllocation', { allocation: { id } }), gone, 'or freed again');
    for (const fd of claimed.fds) fd.close();
    await reader.ask({ release: { grantId: claimed.message.claim?.grants[0]?.id ?? 0n } });
    await assertCounts(t, runtimeDir, { sessions: 2 });
  }
  owner.close();
  reader.close();
  control.close();
});

t.test(
  "whether memory is still held is decided by the kernel's state, not by the client's messages",
  async (t) => {
    const { runtimeDir } = await startDaemon(t);
    const wire = await HandoffWire.open(runtimeDir);
    const { message, fds } = await wire.ask({ allocate: REQUEST });
    const id = message.allocate?.allocation?.id ?? '';
    const [fd] = fds;
    if (!fd) throw new Error('no fd');
    const mapping = mapFd(fd, { offset: 0n, length: Number(KIB64), access: 'rw' });
    fd.close();
    const { message: answer } = await wire.ask({ free: { allocation: { id } } });
    t.equal(answer.free?.freed, false, 'its owner freed it and still has it mapped');
    wire.close();
    await assertCounts(t, runtimeDir, { drainingAllocations: 1, fds: 1 });
    new Uint8Array(mapping.buffer)[0] = 1;
    t.pass('the mapping is still valid');
    mapping.unmap();
    await assertNoLeaks(t, runtimeDir);
  },
);

/** Starts a client that executes up to `step` and then waits. Resolves when it waits. */
async function clientAt(runtimeDir: string, step: string): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('../support/stepwise-client.js', import.meta.url));
  const child = spawn(...plainNode([program, runtimeDir, step]), {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the client ended with ${code} before ${step}`)));
  });
  return child;
}

t.test('a client that is killed at any step leaves nothing', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  for (const step of [
    'connected',
    'greeted',
    'allocate-sent',
    'allocated',
    'received',
    'mapped',
    'written',
    'claim-sent',
    'claimed',
    'release-sent',
    'free-sent',
  ]) {
    const client = await clientAt(runtimeDir, step);
    client.kill('SIGKILL');
    await new Promise((resolve) => client.once('close', resolve));
    await assertNoLeaks(t, runtimeDir);
    t.pass(`killed: ${step}`);
  }
});

t.test('clients that are killed at random moments leave nothing', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  for (let round = 0; round < ROUNDS; round += 1) {
    const clients = await Promise.all([1, 2, 3].map(() => clientAt(runtimeDir, 'looping')));
    await new Promise((resolve) => setTimeout(resolve, 7 * round));
    const ends = clients.map((client) => new Promise((resolve) => client.once('close', resolve)));
    for (const client of clients) client.kill('SIGKILL');
    await Promise.all(ends);
    await assertNoLeaks(t, runtimeDir);
  }
});

t.test('a session ends with its process, even if a child still has the socket', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await clientAt(runtimeDir, 'inherited');
  await assertCounts(t, runtimeDir, { sessions: 1, allocations: 1, grants: 1, fds: 1, deviceMemories: 1 });
  client.kill('SIGKILL');
  await assertNoLeaks(t, runtimeDir);
});
