/**
 * Timelines on a real GPU: between the daemon's Vulkan device and CUDA in both directions, between a client's Vulkan
 * queue and CUDA, between two CUDA processes that one semaphore orders for 10 000 rounds with checked bytes, and over a
 * restart of the daemon.
 */
import { connect, type Semaphore } from '@vkmemd/client';
import { type Decoded, mapFd, type OwnedFd } from '@vkmemd/proto';
import type { Test } from 'tap';
import { assertNoLeaks } from '../support/daemon.js';
import { SemaphorePeer } from '../support/semaphore-peer.js';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import { CudaPeer, FIRST_FD } from './cuda-peer.js';
import { deviceOf, figure, gpuTest, MIB, startOnGpu, timed, useGpu } from './support.js';

const ROUNDS = 10_000;
/** Bytes that a round writes and checks. */
const SIZE = 256;
const MEMORY = 2 * MIB;
/** Transfers under way at a time. */
const UNDER_WAY = 32;
const WORD_OF_A = 0x0a000000;
const WORD_OF_B = 0x0b000000;
const SEMAPHORE_FD = FIRST_FD + 1;

type Client = Awaited<ReturnType<typeof connect>>;
interface Shared {
  readonly client: Client;
  readonly semaphore: Semaphore;
  readonly deviceUuid: Uint8Array;
  readonly id: string;
  readonly dedicated: boolean;
  /** Duplicates for one more peer: of the memory, and of the semaphore. */
  handles(): Promise<OwnedFd[]>;
}

/** Memory and a timeline that CUDA can import. */
async function shared(client: Client, runtimeDir: string, name?: string): Promise<Shared> {
  const { deviceUuid } = await deviceOf(runtimeDir);
  const names = name === undefined ? {} : { name };
  const memory = await client.allocate({ size: MEMORY, kinds: ['OPAQUE_FD'], ...names });
  const semaphore = await client.createSemaphore(names);
  const dedicated = memory.grants[0]?.dedicated === true;
  return {
    ...{ client, semaphore, deviceUuid, dedicated, id: memory.id },
    async handles() {
      const handle = await client.claimSemaphore({ id: semaphore.id });
      const own = handle.fd.dup('peer');
      handle.close();
      return [memory.fd('OPAQUE_FD'), own];
    },
  };
}

async function cudaPeer(t: Test, { deviceUuid, dedicated, handles }: Shared): Promise<CudaPeer> {
  const peer = await CudaPeer.start(t, deviceUuid, await handles());
  await peer.ask('adopt', { size: MEMORY, dedicated });
  await peer.ask('semaphore', { fd: SEMAPHORE_FD });
  return peer;
}

/** Frees both. */
async function freed({ client, semaphore, id }: Shared): Promise<void> {
  await semaphore.free();
  await client.free({ id });
}

function reportsOf({ semaphores }: Decoded<'Device'>): Record<string, boolean> {
  return Object.fromEntries(
    semaphores.map(({ type, kind, exportable, importable }) => [
      `${type.slice(15)} ${kind.slice(15)}`,
      exportable && importable,
    ]),
  );
}

gpuTest('a timeline between the daemon and CUDA, both ways', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const device = await deviceOf(runtimeDir);
  t.match(reportsOf(device), { 'TIMELINE OPAQUE_FD': true });
  for (const [what, both] of Object.entries(reportsOf(device))) figure(t, what, String(both));
  const client = await connect({ runtimeDir });
  const all = await shared(client, runtimeDir);
  const { semaphore } = all;
  const peer = await cudaPeer(t, all);
  const waiting = peer.ask('wait', { fd: SEMAPHORE_FD, value: 1 });
  await semaphore.signal(1);
  await waiting;
  t.pass('CUDA waits for a signal of the daemon');
  const reached = semaphore.wait(2);
  await peer.ask('signal', { fd: SEMAPHORE_FD, value: 2 });
  t.equal(await reached, 2n, 'the daemon waits for a signal of CUDA');
  await t.rejects(semaphore.wait(3, { timeoutMs: 100 }), { code: 'WAIT_TIMED_OUT' });
  const { ms } = await timed(async () => {
    for (let value = 3; value < 203; value += 2) {
      const back = semaphore.wait(value + 1);
      const next = peer.ask('wait', { fd: SEMAPHORE_FD, value });
      await semaphore.signal(value);
      await next;
      await peer.ask('signal', { fd: SEMAPHORE_FD, value: value + 1 });
      await back;
    }
  });
  figure(t, 'a round by requests', ms / 100, 'ms');
  await peer.end();
  await freed(all);
  await client.close();
  await assertNoLeaks(t, runtimeDir);
});

gpuTest(`transfers and CUDA take turns, ${ROUNDS} rounds with checked bytes`, async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const client = await connect({ runtimeDir });
  const all = await shared(client, runtimeDir);
  const { semaphore, id } = all;
  const log = await client.allocate({ size: ROUNDS * SIZE });
  const peer = await cudaPeer(t, all);
  // CUDA writes in the even rounds, the daemon in the odd ones.
  await peer.ask('paint', { offset: 0, size: SIZE, stride: SIZE, word: WORD_OF_B - 1 });
  const turns = peer.ask('turns', {
    ...{ semaphore: SEMAPHORE_FD, offset: 0, size: SIZE, rounds: ROUNDS, first: 0, step: 2 },
    ...{ expected: WORD_OF_B - 1, word: WORD_OF_A },
  });
  const { ms } = await timed(async () => {
    let next = 0;
    const take = async () => {
      for (let round = next++; round < ROUNDS; round = next++) {
        const value = 2 * round + 1;
        const copy = { from: { id }, to: { id: log.id }, toOffset: round * SIZE, size: SIZE };
        await client.transfer({ copy, wait: [{ semaphore, value }] });
        const fill = { to: { id }, size: SIZE, pattern: WORD_OF_B + round };
        await client.transfer({ fill, signal: [{ semaphore, value: value + 1 }] });
      }
    };
    await Promise.all(Array.from({ length: UNDER_WAY }, take));
  });
  t.match(await turns, { wrong: 0 }, 'CUDA found every word of the daemon');
  figure(t, `${ROUNDS} rounds of transfers and CUDA`, ms / ROUNDS, 'ms a round');
  const fd = log.fd('MAPPABLE');
  const mapping = mapFd(fd, { offset: 0n, length: ROUNDS * SIZE, access: 'ro' });
  const words = new Uint32Array(mapping.buffer);
  let wrong = 0;
  for (let at = 0; at < words.length; at += 1) {
    if (words[at] !== WORD_OF_A + Math.floor((at * 4) / SIZE)) wrong += 1;
  }
  mapping.unmap();
  fd.close();
  t.equal(wrong, 0, 'the daemon found every word of CUDA');
  t.match(await client.control.semaphores.get({ id: semaphore.id }), { value: BigInt(2 * ROUNDS) });
  await peer.end();
  await log.free();
  await freed(all);
  await client.close();
  await assertNoLeaks(t, runtimeDir);
});

gpuTest(`one semaphore orders two CUDA processes, ${ROUNDS} rounds with checked bytes`, async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const client = await connect({ runtimeDir });
  const all = await shared(client, runtimeDir);
  const [a, b] = [await cudaPeer(t, all), await cudaPeer(t, all)];
  await a.ask('paint', { offset: 0, size: SIZE, stride: SIZE, word: WORD_OF_B - 1 });
  const range = { semaphore: SEMAPHORE_FD, offset: 0, size: SIZE, rounds: ROUNDS, step: 2 };
  const results = await Promise.all([
    a.ask('turns', { ...range, first: 0, expected: WORD_OF_B - 1, word: WORD_OF_A }),
    b.ask('turns', { ...range, first: 1, expected: WORD_OF_A, word: WORD_OF_B }),
  ]);
  for (const { wrong, ms } of results) {
    t.equal(wrong, 0, 'each found every word of the other');
    figure(t, 'a round of two CUDA processes', (ms * 1000) / ROUNDS, 'us');
  }
  t.equal(await all.semaphore.wait(2 * ROUNDS), BigInt(2 * ROUNDS), 'the daemon sees the last value');
  await a.end();
  await b.end();
  await freed(all);
  await client.close();
  await assertNoLeaks(t, runtimeDir);
});

gpuTest('a Vulkan queue of a client and CUDA, both ways', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const client = await connect({ runtimeDir });
  const all = await shared(client, runtimeDir);
  const { deviceUuid } = all;
  const cuda = await cudaPeer(t, all);
  const [memory, fd] = await all.handles();
  memory?.close();
  const env = { VK_DRIVER_FILES: process.env.VKMEMD_TEST_DRIVER };
  const vulkan = await SemaphorePeer.start(t, { type: 'timeline', deviceUuid, env }, fd);
  const waiting = cuda.ask('wait', { fd: SEMAPHORE_FD, value: 1 });
  await vulkan.signal(1n);
  await waiting;
  t.pass('CUDA waits for a queue of Vulkan');
  const queued = vulkan.wait(2n);
  await cuda.ask('signal', { fd: SEMAPHORE_FD, value: 2 });
  t.ok(await queued, 'a queue of Vulkan waits for CUDA');
  t.equal(await vulkan.value(), 2n);
  await vulkan.end();
  await cuda.end();
  await freed(all);
  await client.close();
  await assertNoLeaks(t, runtimeDir);
});

gpuTest('a timeline and its holders outlive the daemon', async (t) => {
  useGpu();
  const daemon = await SupervisedDaemon.start(t);
  const { runtimeDir } = daemon;
  const client = await connect({ runtimeDir });
  const all = await shared(client, runtimeDir, 'order');
  t.equal(all.semaphore.info.kept, true);
  const peer = await cudaPeer(t, all);
  await peer.ask('signal', { fd: SEMAPHORE_FD, value: 5 });
  const reconnected = new Promise((resolve) => client.once('reconnected', resolve));
  await daemon.kill();
  await peer.ask('signal', { fd: SEMAPHORE_FD, value: 6 });
  t.pass('CUDA signals while no daemon runs');
  t.match(await reconnected, { restored: true });
  t.equal(await all.semaphore.wait(6), 6n, 'the next daemon sees that');
  const waiting = peer.ask('wait', { fd: SEMAPHORE_FD, value: 7 });
  await all.semaphore.signal(7);
  await waiting;
  t.pass('and CUDA its signal');
  const late = await cudaPeer(t, all);
  const both = late.ask('wait', { fd: SEMAPHORE_FD, value: 8 });
  await peer.ask('signal', { fd: SEMAPHORE_FD, value: 8 });
  await both;
  t.pass('a process that claims it after the restart is ordered too');
  await client.transfer({
    fill: { to: { id: all.id }, size: SIZE, pattern: WORD_OF_A },
    wait: [{ semaphore: all.semaphore, value: 8 }],
    signal: [{ semaphore: all.semaphore, value: 9 }],
  });
  await late.ask('wait', { fd: SEMAPHORE_FD, value: 9 });
  const painted = { offset: 0, size: SIZE, stride: SIZE, word: WORD_OF_A };
  t.same(await late.ask('check', painted), { wrong: 0 }, 'after a transfer of the next daemon');
  for (const each of [peer, late]) await each.end();
  await freed(all);
  await client.close();
});
