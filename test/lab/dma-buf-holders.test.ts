/**
 * Who holds the dma-buf of a freed allocation, as a real kernel counts: it drains, charged to its tenant,
 * until the last holder has released it, also through the death of the daemon.
 */
import { spawn } from 'node:child_process';
import { ftruncateSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Client } from '@vkmemd/client';
import { Connection, mapFd, type OwnedFd, seqpacketPair } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { plainNode } from '../support/daemon.js';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { connectTo } from './guest.js';
import { sharedDaemon } from './shared-daemon.js';

const SIZE = 1 << 20;
const BYTES = BigInt(SIZE);
const KINDS = ['MAPPABLE', 'DMA_BUF'] as const;
/** Longer than the longest interval between two polls of the daemon. */
const POLLED_MS = 2500;

/** The bytes that drain on the device, and those that the tenant is charged for. */
async function account(client: Client): Promise<{ draining: bigint; charged: bigint }> {
  const [heap] = (await client.budget()).heaps;
  const quota = await client.control.policy.getQuota();
  return { draining: heap?.drainingBytes ?? -1n, charged: quota.heaps[0]?.usedBytes ?? 0n };
}

/** @param charged The bytes of the tenant; more than drain if it has other memory. */
async function drains(t: Test, client: Client, charged = BYTES): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, POLLED_MS));
  t.same(await account(client), { draining: BYTES, charged }, 'it drains, and its tenant is charged');
}

/** @param charged The bytes of the tenant's other memory. */
async function ends(t: Test, client: Client, charged = 0n): Promise<void> {
  const began = performance.now();
  await until('it is free', async () => {
    const now = await account(client);
    return now.draining === 0n && now.charged === charged ? true : undefined;
  });
  t.comment(
    `figure: free ${(performance.now() - began).toFixed(0)} ms after its last holder has released it`,
  );
}

/** The references that the kernel counts of a dma-buf of this process. */
function references(fd: OwnedFd): number {
  const info = readFileSync(`/proc/self/fdinfo/${fd.fd}`, 'utf8');
  return Number(/^count:\s*(\d+)$/m.exec(info)?.[1]);
}

/** The number of dma-bufs that a process has open. lavapipe has one of its own. */
function dmaBufsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('/dmabuf');
    } catch {
      return false; // It was closed meanwhile.
    }
  }).length;
}

/** A holder of a dma-buf. @param fd Taken. Returns what releases it. */
type Holder = (fd: OwnedFd) => (() => Promise<void>) | Promise<() => Promise<void>>;

const HOLDERS: Readonly<Record<string, Holder>> = {
  'an fd': (fd) => async () => fd.close(),
  'a mapping': (fd) => {
    const mapping = mapFd(fd, { offset: 0n, length: SIZE, access: 'rw' });
    fd.close();
    return async () => mapping.unmap();
  },
  'a copy of a child process': async (fd) => {
    const node = plainNode(['-e', 'process.stdout.write("up"); setInterval(() => {}, 60_000)']);
    const child = spawn(...node, { stdio: ['ignore', 'pipe', 'inherit', fd.fd] });
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    fd.close();
    const ended = new Promise((resolve) => child.once('close', resolve));
    return async () => {
      child.kill('SIGKILL');
      await ended;
    };
  },
  'a message that was not read': async (fd) => {
    const [left, right] = seqpacketPair();
    let closed: () => void = () => {};
    const over = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const sender = new Connection(left, { message() {}, close: () => closed() });
    sender.send(Buffer.from('held'), [fd]);
    return async () => {
      right.close();
      sender.close();
      await over;
    };
  },
};

t.test('a freed allocation drains while its dma-buf is held, and no longer', async (t) => {
  const { runtimeDir, pid } = await sharedDaemon(t);
  await using client = await connectTo(runtimeDir);
  const open = dmaBufsOf(pid);

  for (const kinds of [['DMA_BUF'], KINDS] as const) {
    await t.test(`not held: ${kinds.join(' and ')}`, async (t) => {
      const memory = await client.allocate({ size: SIZE, kinds });
      t.match(await memory.free(), { freed: true, allocation: { state: 'ALLOCATION_STATE_FREED' } });
      t.same(await account(client), { draining: 0n, charged: 0n });
    });
  }

  for (const [what, hold] of Object.entries(HOLDERS)) {
    await t.test(`held by ${what}`, async (t) => {
      const memory = await client.allocate({ size: SIZE, kinds: KINDS });
      const release = await hold(memory.fd('DMA_BUF'));
      t.match(await memory.free(), { freed: false, allocation: { state: 'ALLOCATION_STATE_DRAINING' } });
      await drains(t, client);
      t.equal(dmaBufsOf(pid), open + 1, 'the daemon has one fd of it');
      await release();
      await ends(t, client);
      t.equal(dmaBufsOf(pid), open, 'the daemon has closed its fd');
    });
  }

  await t.test('held by an import of it', async (t) => {
    const memory = await client.allocate({ size: SIZE, kinds: KINDS });
    using fd = memory.fd('DMA_BUF');
    const imported = await client.importMemory({ fd, source: 'DMA_BUF', kinds: ['DMA_BUF'] });
    fd.close();
    t.match(await memory.free(), { freed: false });
    await drains(t, client, 2n * BYTES);
    await imported.free();
    await ends(t, client);
    t.equal(dmaBufsOf(pid), open, 'the daemon has closed its fds');
  });

  await t.test('the count is that of all holders', async (t) => {
    const memory = await client.allocate({ size: SIZE, kinds: KINDS });
    const fd = memory.fd('DMA_BUF');
    for (const size of [1, 1 << 30]) t.throws(() => ftruncateSync(fd.fd, size), 'its size is fixed');
    const live = references(fd);
    await memory.free();
    const alone = await until('the count falls', () => (references(fd) === 2 ? 2 : undefined));
    t.comment(`figure: references of a live dma-buf ${live}, of a freed one ${alone}`);
    fd.close();
    await ends(t, client);
  });
});

t.test('it drains through the death of the daemon', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const connected = () => connectTo(daemon.runtimeDir);
  const open = dmaBufsOf(daemon.pid ?? 0);
  const wire = await daemon.open();
  const [lifetime, kinds] = ['LIFETIME_NAMED', ['KIND_DMA_BUF' as const]] as const;
  const allocate = { sizeBytes: BYTES, kinds, grantKinds: kinds, lifetime, name: 'sleeping' };
  const sleeping = (await wire.ask({ allocate })).fds;
  t.equal(sleeping.length, 1);
  const fds: OwnedFd[] = [];
  {
    await using before = await connected();
    for (const name of ['drains', 'kept']) {
      const memory = await before.allocate({ size: SIZE, kinds: KINDS, name });
      fds.push(memory.fd('DMA_BUF'));
      if (name === 'drains') t.match(await memory.free(), { freed: false });
      else await memory.release();
    }
    await drains(t, before, 3n * BYTES);
  }
  await daemon.kill();
  await daemon.serving();
  await using after = await connected();
  const [draining, kept] = fds as [OwnedFd, OwnedFd];

  await t.test('freed before it', async (t) => {
    await drains(t, after, 3n * BYTES);
    t.equal(references(draining), 3, 'one fd is here, one in the daemon, one in its store');
    draining.close();
    await ends(t, after, 2n * BYTES);
  });

  await t.test('freed after it', async (t) => {
    const memory = await after.claim({ name: 'kept' }, { kinds: KINDS });
    t.match(await memory.free(), { freed: false });
    await drains(t, after, 2n * BYTES);
    kept.close();
    await ends(t, after, BYTES);
  });

  await t.test('a grant of a session that does not come back ends with its last fd', async (t) => {
    const memory = await after.claim({ name: 'sleeping' }, { kinds: ['DMA_BUF'] });
    t.match(await memory.free(), { freed: false });
    await drains(t, after);
    for (const fd of sleeping) fd.close();
    await ends(t, after);
  });

  t.equal(dmaBufsOf(daemon.pid ?? 0), open, 'the daemon has closed its fds');
  await until('the store is empty', () => (dmaBufsOf(daemon.supervisor) === 0 ? true : undefined));
});
