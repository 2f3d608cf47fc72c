/**
 * Memory that CUDA's virtual memory management made (cuMemCreate), imported: its bytes outlive the process that made it
 * and the daemon, another process maps them, and the device imports it when a transfer uses it.
 */
import type { Decoded, Draft, OwnedFd } from '@vkmemd/proto';
import { budget, controlled } from '../store/support.js';
import type { HandoffWire } from '../support/handoff-wire.js';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import { CudaPeer } from './cuda-peer.js';
import { mapped, Session } from './session.js';
import {
  availableBytes,
  deviceOf,
  figure,
  fitting,
  GIB,
  gpuTest,
  MIB,
  SLACK,
  timed,
  until,
  usedBytes,
  useGpu,
} from './support.js';

const WANTED = 8 * GIB;
const STRIDE = 16 * MIB;
const WORD = 0x0c0dae00;
const OPAQUE = ['KIND_OPAQUE_FD'] as const;
const policy = `[[rule]]\nuid = ${process.getuid?.() ?? 0}\nimport = true\n`;
/** The GPU memory that a daemon uses for itself, beyond what a killed one does. */
const OF_DAEMON = GIB;

/** @param fd taken. */
async function importIt(
  wire: HandoffWire,
  fd: OwnedFd,
  request: Draft<'ImportRequest'>,
): Promise<Decoded<'Allocation'>> {
  const source = 'KIND_OPAQUE_FD';
  const allocationSource = 'ALLOCATION_SOURCE_CUDA_VMM';
  wire.send({ import: { source, allocationSource, kinds: OPAQUE, ...request } }, [fd]);
  const { message } = await wire.next();
  const { allocation } = message.import ?? {};
  if (!allocation) throw new Error(JSON.stringify(message.error));
  return allocation;
}

const deviceMemories = async (daemon: SupervisedDaemon) => (await budget(daemon)).counts?.deviceMemories;

gpuTest('memory of cuMemCreate outlives its process and the daemon', async (t) => {
  useGpu();
  const daemon = await SupervisedDaemon.start(t, { policy });
  const { deviceUuid } = await deviceOf(daemon.runtimeDir);
  const baseline = usedBytes(deviceUuid);
  const size = fitting(t, WANTED, (await controlled(daemon, availableBytes)) / 2);
  const whole = { offset: 0, size, stride: STRIDE, word: WORD };
  const { peer: exporter, fd } = await CudaPeer.creating(t, deviceUuid, size);
  await exporter.ask('paint', whole);
  const wire = await daemon.open();
  const request = { sizeBytes: BigInt(size), deviceUuid, name: 'weights' };
  const imported = await timed(() => importIt(wire, fd, request));
  figure(t, `import of ${size / GIB} GiB`, imported.ms, 'ms');
  t.match(imported.result, { kept: true, source: 'ALLOCATION_SOURCE_CUDA_VMM', imported: true });
  figure(t, 'memory type', imported.result.memoryTypeIndex);
  t.equal(await deviceMemories(daemon), 0, 'Vulkan has imported nothing');
  wire.close();

  await exporter.kill();
  const killed = performance.now();
  await daemon.kill();
  t.ok(usedBytes(deviceUuid) - baseline >= size - OF_DAEMON, 'the bytes are in use, without both');
  await daemon.serving();
  figure(t, 'from the kill to an answer of the next daemon', performance.now() - killed, 'ms');
  t.equal(await deviceMemories(daemon), 0, 'and the next daemon imports nothing');

  const second = await daemon.open();
  const allocation = { name: 'weights' };
  const claimed = await timed(() => second.ask({ claim: { allocation, kinds: OPAQUE } }));
  figure(t, 'claim', claimed.ms, 'ms');
  const { message, fds } = claimed.result;
  const reader = await CudaPeer.start(t, deviceUuid, fds);
  figure(t, 'CUDA imports and maps it', (await reader.ask('map', { size })).mapMs, 'ms');
  t.same(await reader.ask('check', whole), { wrong: 0 }, 'another process finds every byte');
  await reader.end();
  await second.ask({ release: { grantId: message.claim?.grants[0]?.id ?? 0n } });
  t.equal(await deviceMemories(daemon), 0, 'still without Vulkan');

  const session = await Session.open(t, daemon.runtimeDir);
  const samples = [0, size / 2, size - STRIDE];
  const host = await session.allocate(samples.length * MIB, ['KIND_MAPPABLE']);
  const source = { allocation: imported.result, grants: [], fds: [] };
  for (const [index, at] of samples.entries()) {
    const copied = await timed(() =>
      session.copy(source, host, { source: at, destination: index * MIB, size: MIB }),
    );
    figure(t, index === 0 ? 'first transfer, with the import' : 'a later transfer', copied.ms, 'ms');
  }
  t.equal(await deviceMemories(daemon), 2, 'a transfer imports it');
  const view = mapped(host);
  const words = new Uint32Array(view.buffer);
  for (const [index, at] of samples.entries()) {
    const found = words[(index * MIB) / 4];
    t.equal(found, WORD + at / STRIDE, `the daemon's device finds the word at ${at}`);
  }
  view.unmap();
  await session.free(host);
  await second.ask({ free: { allocation } });
  second.close();
  session.close();
  t.ok(await until(() => usedBytes(deviceUuid) - baseline <= SLACK), 'all of it is free again');
});

gpuTest('memory of cuMemCreate with a wrong size fails at its first transfer', async (t) => {
  useGpu();
  const daemon = await SupervisedDaemon.start(t, { policy });
  const { deviceUuid } = await deviceOf(daemon.runtimeDir);
  const size = 64 * MIB;
  const { peer, fd } = await CudaPeer.creating(t, deviceUuid, size);
  const wire = await daemon.open();
  const { id } = await importIt(wire, fd, { sizeBytes: BigInt(2 * size), deviceUuid });
  await t.rejects(
    controlled(daemon, (control) =>
      control.call('Transfer', { fill: { allocation: { id }, sizeBytes: 4096n, pattern: 1 } }),
    ),
    { code: /^(INVALID_HANDLE|DEVICE_OUT_OF_MEMORY)$/ },
  );
  t.equal(await deviceMemories(daemon), 0);
  await wire.ask({ free: { allocation: { id } } });
  t.match((await budget(daemon)).counts, { allocations: 0, drainingAllocations: 0, fds: 0 });
  wire.close();
  await peer.end();
});
