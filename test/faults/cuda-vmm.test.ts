/**
 * Imports of memory that CUDA made, which the device imports when a transfer uses it first. Here another daemon made
 * the memory: an OPAQUE_FD as good as CUDA's to this driver. test/gpu/cuda-vmm.test.ts has CUDA's own.
 */
import { type Draft, errorOf, type OwnedFd } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { assertCounts, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import {
  allocate,
  claim,
  type FakeHost,
  type Granted,
  loseDevice,
  onFake,
  PAGE,
  refusalOf,
  release,
  SIZE,
  stillServes,
  until,
  wireKinds,
} from './support.js';

t.jobs = 3;
// Each starts two daemons.
t.setTimeout(120_000);

const opaque = wireKinds('OPAQUE_FD');
const ALLOWED = ['--allow-import', String(process.getuid?.() ?? 0)];
const PATTERN = 0x0d0d0d0d;
const COUNTED = { sessions: 1, allocations: 1, fds: 1 };

/** The fd of memory that another process made, filled with PATTERN; that process holds it no more. */
async function foreignFd(t: Test): Promise<OwnedFd> {
  const exporter = await startDaemon(t);
  const wire = await HandoffWire.open(exporter.runtimeDir);
  const made = await allocate(wire, { sizeBytes: SIZE, kinds: opaque });
  const copied = made.fds[0]?.dup('of another process');
  if (!copied) throw new Error('nothing was granted');
  const control = new ControlWire(exporter.runtimeDir);
  await control.call('Transfer', { fill: { allocation: { id: made.id }, pattern: PATTERN } });
  control.close();
  await release(made);
  wire.close();
  await exporter.stop();
  return copied;
}

async function terms(host: FakeHost): Promise<Draft<'ImportRequest'>> {
  const [device] = (await host.control.call('ListDevices', {})).devices;
  return {
    source: 'KIND_OPAQUE_FD',
    allocationSource: 'ALLOCATION_SOURCE_CUDA_VMM',
    sizeBytes: SIZE,
    deviceUuid: device?.deviceUuid ?? new Uint8Array(),
    kinds: opaque,
  };
}

/** @param fd borrowed. */
async function importIt(wire: HandoffWire, request: Draft<'ImportRequest'>, fd: OwnedFd): Promise<Granted> {
  wire.send({ import: request }, [fd.dup('sent')]);
  const { message, fds } = await wire.next();
  if (message.error) throw errorOf(message.error);
  const { allocation, grants = [] } = message.import ?? {};
  if (!allocation) throw new Error('nothing was imported');
  return { wire, id: allocation.id, allocation, grants, fds };
}

const imports = ({ layer }: FakeHost) => layer.calls('vkAllocateMemory').length;
const filled = (pattern: number) => Buffer.alloc(Number(SIZE), pattern & 0xff);

t.test('the device imports it for the first transfer, and once', { buffered: true }, async (t) => {
  using fd = await foreignFd(t);
  await onFake(
    t,
    [],
    async (host) => {
      const wire = await host.session();
      const before = imports(host);
      const made = await importIt(wire, { ...(await terms(host)), name: 'weights', grantKinds: opaque }, fd);
      t.match(made.allocation, {
        source: 'ALLOCATION_SOURCE_CUDA_VMM',
        imported: true,
        dedicated: false,
        sizeBytes: SIZE,
      });
      t.match(made.grants, [{ kind: 'KIND_OPAQUE_FD', vulkanHandleType: 1, allocationSizeBytes: SIZE }]);
      const second = await claim(await host.session(), made.id, 'OPAQUE_FD');
      t.equal(second.fds.length, 1, 'it is granted without the driver');
      t.equal(imports(host), before, 'the driver was not asked');
      await assertCounts(t, host.runtimeDir, { ...COUNTED, sessions: 2, grants: 2, deviceMemories: 0 });

      host.layer.script('delay vkAllocateMemory 1 200');
      const sync = { allocation: { id: made.id } };
      await Promise.all([1, 2, 3].map(() => host.control.call('Transfer', { sync })));
      t.equal(imports(host), before + 1, 'concurrent transfers wait for one import');
      t.ok(
        (await host.bytesOf(wire, made.id, SIZE)).equals(filled(PATTERN)),
        'it has the bytes of the process that made it',
      );
      t.equal(imports(host), before + 2, 'beside the memory that the bytes are read from');
      await assertCounts(t, host.runtimeDir, { ...COUNTED, sessions: 2, grants: 2, deviceMemories: 1 });
      await host.fill(made.id, 0x07070707);
      t.ok((await host.bytesOf(wire, made.id, SIZE)).equals(filled(7)), 'and is written');
      for (const one of second.fds) one.close();
      await second.wire.ask({ release: { grantId: second.grants[0]?.id ?? 0n } });
      await release(made);
    },
    ALLOWED,
  );
});

t.test('memory that no transfer used is freed without the driver', { buffered: true }, async (t) => {
  using fd = await foreignFd(t);
  await onFake(
    t,
    [],
    async (host) => {
      const wire = await host.session();
      const before = host.layer.calls().length;
      const made = await importIt(wire, { ...(await terms(host)), grantKinds: opaque }, fd);
      await release(made);
      const names = host.layer.calls().slice(before).map(({ name }) => name); // biome-ignore format: one line
      t.notOk(names.includes('vkAllocateMemory') || names.includes('vkFreeMemory'), names.join());
    },
    ALLOWED,
  );
});

t.test('an import that fails fails its transfer, and changes nothing', { buffered: true }, async (t) => {
  using fd = await foreignFd(t);
  await onFake(
    t,
    [],
    async (host) => {
      const wire = await host.session();
      const made = await importIt(wire, { ...(await terms(host)), name: 'bad', grantKinds: opaque }, fd);
      for (const [result, code] of [
        ['VK_ERROR_INVALID_EXTERNAL_HANDLE', 'INVALID_HANDLE'],
        ['VK_ERROR_OUT_OF_DEVICE_MEMORY', 'DEVICE_OUT_OF_MEMORY'],
      ] as const) {
        host.layer.script(`fail vkAllocateMemory 1 ${result}`);
        const refusal = await refusalOf(host.fill(made.id, 1));
        t.match(refusal, { code, message: new RegExp(result) });
        if (code === 'INVALID_HANDLE') t.match(refusal.message, /65536 bytes that CUDA made.*Free the/);
        host.layer.script();
        const again = await claim(wire, made.id, 'OPAQUE_FD');
        t.match(again.allocation, { state: 'ALLOCATION_STATE_LIVE' });
        for (const one of again.fds) one.close();
        await wire.ask({ release: { grantId: again.grants[0]?.id ?? 0n } });
        await assertCounts(t, host.runtimeDir, { ...COUNTED, grants: 1, deviceMemories: 0 });
      }
      t.ok((await host.bytesOf(wire, made.id, SIZE)).equals(filled(PATTERN)), 'a later transfer imports it');
      await release(made);
      host.layer.script('fail vkAllocateMemory * VK_ERROR_INVALID_EXTERNAL_HANDLE');
      const bad = await importIt(wire, { ...(await terms(host)), grantKinds: opaque }, fd);
      t.match(await refusalOf(host.fill(bad.id, 1)), { code: 'INVALID_HANDLE' });
      await release(bad);
    },
    ALLOWED,
  );
});

t.test('it is freed while the device imports it', { buffered: true }, async (t) => {
  using fd = await foreignFd(t);
  await onFake(
    t,
    [],
    async (host) => {
      const made = await importIt(await host.session(), await terms(host), fd);
      host.layer.script('delay vkAllocateMemory 1 300');
      const before = imports(host);
      const transfer = host.fill(made.id, 1).then(
        () => 'done',
        ({ code }) => code,
      );
      // The call is logged when it has returned.
      await new Promise((resolve) => setTimeout(resolve, 100));
      const freed = release(made);
      t.match(await transfer, /^(done|NOT_FOUND)$/);
      await freed;
      t.ok(imports(host) - before <= 1);
    },
    ALLOWED,
  );
});

t.test("it counts against the device's maximum before it is imported", { buffered: true }, async (t) => {
  using fd = await foreignFd(t);
  await onFake(
    t,
    ['limit maxMemoryAllocationCount 5'],
    async (host) => {
      const wire = await host.session();
      const made = await importIt(wire, await terms(host), fd);
      const others: Granted[] = [];
      while (others.length < 4) others.push(await allocate(wire, { sizeBytes: PAGE, kinds: opaque }));
      t.match(await refusalOf(allocate(wire, { sizeBytes: PAGE, kinds: opaque })), {
        code: 'TOO_MANY_ALLOCATIONS',
      });
      await host.fill(made.id, 1);
      t.pass('so the first transfer can import it');
      for (const other of others) await release(other);
      await release(made);
    },
    ALLOWED,
  );
});

t.test('it is charged, but needs no bytes of the heap', { buffered: true }, async (t) => {
  using fd = await foreignFd(t);
  const left = SIZE / 2n;
  await onFake(
    t,
    ['budget present'],
    async (host) => {
      const wire = await host.session();
      host.layer.script(`budget 0 ${left} 0`);
      const heap = async () => (await host.control.budget()).heaps[0];
      const refused = { code: 'BUDGET_EXCEEDED', metadata: { available_bytes: String(left) } };
      t.match(await heap(), { source: 'BUDGET_SOURCE_EXT', availableBytes: left });
      t.match(await refusalOf(allocate(wire, { sizeBytes: SIZE, kinds: opaque })), refused);
      const made = await importIt(wire, { ...(await terms(host)), name: 'weights' }, fd);
      t.match(await heap(), { liveBytes: SIZE, availableBytes: left }, 'its bytes are in use already');
      t.match(await refusalOf(allocate(wire, { sizeBytes: SIZE, kinds: opaque })), refused);
      const own = await allocate(wire, { sizeBytes: PAGE, kinds: opaque });
      t.match(await heap(), { liveBytes: SIZE + PAGE, availableBytes: left - PAGE });
      // The driver imports it: from then on its bytes are usage of the daemon, beside those of the budget.
      await host.fill(made.id, 1);
      host.layer.script(`budget 0 ${left + SIZE} ${SIZE + PAGE}`);
      t.match(await heap(), { liveBytes: SIZE + PAGE, availableBytes: left - PAGE });
      await release(own);
      await release(made);
      host.layer.script();
    },
    ALLOWED,
  );
});

t.test('it ends with the device, imported or not', { buffered: true }, async (t) => {
  using fd = await foreignFd(t);
  await onFake(
    t,
    [],
    async (host) => {
      for (const used of [false, true]) {
        const wire = await host.session();
        const made = await importIt(wire, { ...(await terms(host)), grantKinds: opaque }, fd);
        if (used) await host.fill(made.id, 1);
        await loseDevice(host);
        await stillServes(host);
        t.match(await refusalOf(claim(wire, made.id, 'OPAQUE_FD')), { code: 'DEVICE_LOST' });
        t.match(await refusalOf(host.fill(made.id, 1)), { code: 'DEVICE_LOST' });
        for (const one of made.fds) one.close();
        await wire.ask({ release: { grantId: made.grants[0]?.id ?? 0n } });
        wire.close();
        await until('nothing is left', async () => (await host.control.budget()).counts?.fds === 0);
      }
    },
    ALLOWED,
  );
});

t.test('what is wrong with the request is refused', { buffered: true }, async (t) => {
  using fd = await foreignFd(t);
  await onFake(
    t,
    [],
    async (host) => {
      const wire = await host.session();
      const good = await terms(host);
      const other = Buffer.alloc(16, 9);
      for (const [what, more, code] of [
        ['no size', { sizeBytes: 0n }, 'INVALID_SIZE'],
        ['a negative size', { sizeBytes: -1n }, 'INVALID_SIZE'],
        ['more than the file has', { sizeBytes: 1n << 30n }, 'INVALID_SIZE'],
        ['another device', { deviceUuid: other }, 'INVALID_HANDLE'],
        ['no device', { deviceUuid: new Uint8Array() }, 'INVALID_HANDLE'],
        ['another driver', { driverUuid: other }, 'INVALID_HANDLE'],
        ['a memory type that does not exist', { memoryTypeIndex: 31 }, 'INVALID_ARGUMENT'],
        ['a buffer', { buffer: { usage: 3 } }, 'INVALID_ARGUMENT'],
        ['a memfd', { source: 'KIND_MAPPABLE' }, 'INVALID_ARGUMENT'],
        ['a dma-buf', { source: 'KIND_DMA_BUF' }, 'INVALID_ARGUMENT'],
        ["the daemon's own", { allocationSource: 'ALLOCATION_SOURCE_DAEMON' }, 'INVALID_ARGUMENT'],
        ['to be mapped', { kinds: wireKinds('MAPPABLE') }, 'NOT_MAPPABLE'],
        ['as DMA_BUF', { kinds: wireKinds('DMA_BUF') }, 'KIND_UNSUPPORTED'],
      ] as const) {
        const request = { ...good, ...more } as Draft<'ImportRequest'>;
        t.match(await refusalOf(importIt(wire, request, fd)), { code }, what);
      }
      const typed = await importIt(wire, { ...good, memoryTypeIndex: 0 }, fd);
      t.match(typed.allocation, { memoryTypeIndex: 0 }, 'a memory type can be named');
      await release(typed);
    },
    ALLOWED,
  );
});
