/**
 * The budget under real pressure: VK_EXT_memory_budget of lavapipe counts all memory of the system that is not
 * available as used. So memory that another process fills is missing from what the daemon offers. Memory that
 * is freed while a process holds its dma-buf is missing too, and its tenant is charged for it.
 */
import type { Client, HeapBudget } from '@vkmemd/client';
import type { OwnedFd } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { holdMapped } from '../support/holder.js';
import { until } from '../support/supervised-daemon.js';
import { Filler } from './filler.js';
import { connectTo } from './guest.js';
import { sharedDaemon } from './shared-daemon.js';

const MIB = 1n << 20n;
/** What other processes use or free meanwhile. */
const NOISE = 96n * MIB;
/** What the other process leaves. */
const LEFT = 256n * MIB;
/** Less than the maximum of /dev/udmabuf, 64 MiB (the module's size_limit_mb). */
const DMA_BUF = 60n * MIB;
const DMA_BUFS = 4;
const KINDS = ['MAPPABLE', 'DMA_BUF'] as const;
/** Longer than the longest interval between two looks of the daemon at who holds memory. */
const POLLED_MS = 2500;

const mib = (bytes: bigint): string => `${bytes / MIB} MiB`;

async function heapOf(client: Client): Promise<HeapBudget> {
  const [heap] = (await client.budget()).heaps;
  if (!heap) throw new Error('the device has no heap');
  return heap;
}

function note(t: Test, when: string, heap: HeapBudget): void {
  const { driverUsageBytes, availableBytes, pressure } = heap;
  const words = [`used ${mib(driverUsageBytes)}`, `available ${mib(availableBytes)}`, pressure];
  t.comment(`figure: ${when}: ${words.join(', ')}`);
}

t.test('another process fills memory: the budget follows, and refuses what it no longer has', async (t) => {
  const { runtimeDir } = await sharedDaemon(t);
  await using client = await connectTo(runtimeDir);
  const before = await heapOf(client);
  note(t, 'before', before);
  t.match(before, { source: 'BUDGET_SOURCE_EXT', driverBudgetBytes: before.sizeBytes, liveBytes: 0n });
  const filled = before.availableBytes - LEFT;
  const asked = LEFT + 2n * NOISE;
  const allocate = () => client.allocate({ size: asked, kinds: ['MAPPABLE'] });
  {
    await using _filler = await Filler.start(filled);
    const during = await heapOf(client);
    note(t, `another process has filled ${mib(filled)}`, during);
    t.ok(during.driverUsageBytes >= before.driverUsageBytes + filled - NOISE, 'it is used, says the driver');
    t.ok(during.availableBytes <= LEFT + NOISE, 'it is not available');
    t.equal(during.liveBytes, 0n, "it is not in the daemon's account");
    t.equal(during.pressure, 'PRESSURE_ELEVATED', 'the pressure rises');
    await t.rejects(allocate(), { code: 'BUDGET_EXCEEDED', metadata: { requested_bytes: String(asked) } });
  }
  const after = await until('it is available again', async () => {
    const now = await heapOf(client);
    return now.availableBytes >= before.availableBytes - NOISE ? now : undefined;
  });
  note(t, 'the process has ended', after);
  await using memory = await allocate();
  const charged = await heapOf(client);
  note(t, `${mib(asked)} are allocated`, charged);
  t.equal(charged.liveBytes, memory.size, "it is in the daemon's account");
  const fallen = after.availableBytes - charged.availableBytes;
  t.ok(fallen >= asked - NOISE && fallen <= asked + NOISE, 'an allocation counts once');
});

t.test('memory that is freed while another process holds its dma-buf', async (t) => {
  const { runtimeDir } = await sharedDaemon(t);
  await using client = await connectTo(runtimeDir);

  await t.test('it drains while a session has a grant, and while only a mapping is left', async (t) => {
    const memory = await client.allocate({ size: DMA_BUF, kinds: KINDS, name: 'held' });
    const holder = await holdMapped(t, runtimeDir, 'held');
    t.match(await memory.free(), { freed: false, allocation: { state: 'ALLOCATION_STATE_DRAINING' } });
    t.match(await heapOf(client), { liveBytes: 0n, drainingBytes: DMA_BUF });
    await holder.forgetSession();
    await new Promise((resolve) => setTimeout(resolve, POLLED_MS));
    t.match(await heapOf(client), { liveBytes: 0n, drainingBytes: DMA_BUF }, 'its mapping is still there');
    holder.child.kill('SIGKILL');
    await until('it is free', async () => (await heapOf(client)).drainingBytes === 0n || undefined);
  });

  await t.test(
    'its tenant is charged for it, as the driver counts it, until the last fd is closed',
    async (t) => {
      const before = await heapOf(client);
      const fds: OwnedFd[] = [];
      for (let number = 0; number < DMA_BUFS; number += 1) {
        const memory = await client.allocate({ size: DMA_BUF, kinds: KINDS });
        fds.push(memory.fd('DMA_BUF'));
        t.match(await memory.free(), { freed: false, allocation: { state: 'ALLOCATION_STATE_DRAINING' } });
      }
      await new Promise((resolve) => setTimeout(resolve, POLLED_MS));
      const held = await heapOf(client);
      const all = DMA_BUF * BigInt(DMA_BUFS);
      note(t, `${mib(all)} are freed and held`, held);
      t.match(held, { liveBytes: 0n, drainingBytes: all });
      t.equal(
        (await client.control.policy.getQuota()).heaps[0]?.usedBytes,
        all,
        'its tenant is charged for it',
      );
      t.ok(held.availableBytes <= before.availableBytes - all + NOISE, 'it is not available');
      for (const fd of fds) fd.close();
      const closed = await until('it is available again', async () => {
        const now = await heapOf(client);
        return now.drainingBytes === 0n && now.availableBytes >= before.availableBytes - NOISE
          ? now
          : undefined;
      });
      note(t, 'the fds are closed', closed);
    },
  );
});
