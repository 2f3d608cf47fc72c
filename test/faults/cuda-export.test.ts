/**
 * DMA_BUF on a driver without VK_EXT_external_memory_dma_buf, by vkmemd-cuda-export and a fake of CUDA's library: the
 * real process, the real passing of fds, and in place of a dma-buf the file of the memory. test/gpu/dma-buf.test.ts has
 * NVIDIA's.
 */
import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { controlled, nothingLeft } from '../store/support.js';
import { root, startDaemon, temporaryFolder } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import {
  allocate,
  claim,
  FakeHost,
  type Granted,
  PAGE,
  refusalOf,
  release,
  reportOn,
  wireKinds,
} from './support.js';

t.jobs = 2;
t.setTimeout(120_000);

const SIZE = 2n << 20n;
const DMA_BUF = wireKinds('DMA_BUF');
const NVIDIA = ['vendor 4318', 'device_type discrete'];

/** The fake of CUDA's library in a folder of its own, with a script. */
class FakeCuda {
  readonly folder: string;

  constructor(t: Test) {
    this.folder = temporaryFolder(t);
    copyFileSync(join(root, 'test/native/build/libcuda.so.1'), join(this.folder, 'libcuda.so.1'));
    this.script();
  }

  script(...lines: readonly string[]): void {
    // Of the fake device: that of lavapipe.
    writeFileSync(join(this.folder, 'cuda'), [`log ${this.folder}/log`, ...lines, ''].join('\n'));
  }

  /** The functions that were called, each with the bytes of its range. */
  get calls(): string[] {
    const log = join(this.folder, 'log');
    return existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : [];
  }
}

/** The processes that the daemon started and that run, without the front. */
function exporters(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  const names = children.map((child) => {
    try {
      return readFileSync(`/proc/${child}/cmdline`, 'latin1');
    } catch {
      return ''; // It has ended.
    }
  });
  return names.filter((name) => name.includes('vkmemd-cuda-export')).length;
}

/** A daemon on a fake of NVIDIA's driver. */
async function onNvidia(
  t: Test,
  cuda: FakeCuda | undefined,
  use: (host: FakeHost) => Promise<void>,
  lines: readonly string[] = NVIDIA,
): Promise<void> {
  const layer = new FakeLayer(t, ...lines);
  const env = { ...layer.environment, ...(cuda && { LD_LIBRARY_PATH: cuda.folder }) };
  const daemon = await startDaemon(t, { env });
  const host = new FakeHost(layer, daemon);
  const [device] = (await host.control.call('ListDevices', {})).devices;
  const uuid = `uuid ${Buffer.from(device?.deviceUuid ?? []).toString('hex')}`;
  const script = cuda?.script.bind(cuda);
  if (cuda && script) cuda.script = (...more) => script(uuid, ...more);
  cuda?.script();
  try {
    await use(host);
    t.equal(exporters(daemon.pid), 0, 'no process is left');
  } finally {
    host.close();
  }
  t.strictSame(await daemon.stop(), { code: 0, signal: null });
  t.strictSame(layer.leaks(), []);
}

const inode = ({ fds: [fd] }: Granted) => statSync(`/proc/self/fd/${fd?.fd}`, { bigint: true }).ino;

t.test('CUDA makes the dma-buf of dedicated memory', { buffered: true }, async (t) => {
  const cuda = new FakeCuda(t);
  await onNvidia(t, cuda, async (host) => {
    t.match(await reportOn(host, 'DMA_BUF'), {
      rung: 'RUNG_SUPPORTED',
      via: /libcuda/,
      reason: /lists no VK_EXT_external_memory_dma_buf; vkmemd-cuda-export .* no bytes were moved/,
      missing: '',
    });
    t.strictSame(cuda.calls, [], 'the start initialised nothing');
    const wire = await host.session();
    const made = await allocate(wire, { sizeBytes: PAGE, kinds: wireKinds('DMA_BUF', 'OPAQUE_FD') });
    t.match(made.allocation, { sizeBytes: SIZE, dedicated: true, handleTypes: 1 });
    t.match(made.grants, [
      { kind: 'KIND_DMA_BUF', vulkanHandleType: 0x200, dedicated: true, mapSizeBytes: 0n },
      { kind: 'KIND_OPAQUE_FD', vulkanHandleType: 1 },
    ]);
    t.strictSame(cuda.calls, [
      'cuInit 0',
      'cuDeviceGetCount 0',
      'cuDeviceGet 0',
      'cuDeviceGetUuid 0',
      'cuDevicePrimaryCtxRetain 0',
      'cuCtxSetCurrent 0',
      'cuMemImportFromShareableHandle 0',
      ...['AddressReserve', 'Map', 'SetAccess', 'GetHandleForAddressRange'].map(
        (name) => `cuMem${name} ${SIZE}`,
      ),
    ]);
    t.equal(exporters(host.daemon.pid), 0, 'its process, and so its context, has ended with the answer');
    const [dmaBuf, opaque] = made.fds;
    t.equal(inode(made), statSync(`/proc/self/fd/${opaque?.fd}`, { bigint: true }).ino, 'of this memory');
    t.not(dmaBuf?.fd, opaque?.fd);
    await host.fill(made.id, 0x05050505);
    const others = await Promise.all(
      [1, 2, 3].map(async () => claim(await host.session(), made.id, 'DMA_BUF')),
    );
    for (const { wire: other, fds, grants } of others) {
      t.equal(fds.length, 1);
      for (const fd of fds) fd.close();
      await other.ask({ release: { grantId: grants[0]?.id ?? 0n } });
    }
    await release(made);
    const alone = await allocate(wire, { sizeBytes: SIZE + 1n, kinds: DMA_BUF });
    t.match(alone.allocation, { sizeBytes: 2n * SIZE, dedicatedBy: 'DEDICATED_BY_DRIVER' });
    await release(alone);
  });
});

t.test('after a restart CUDA makes it from the stored OPAQUE_FD', { buffered: true }, async (t) => {
  const cuda = new FakeCuda(t);
  const layer = new FakeLayer(t, ...NVIDIA);
  const env = { ...layer.environment, LD_LIBRARY_PATH: cuda.folder };
  const daemon = await SupervisedDaemon.start(t, { env });
  const [device] = await controlled(daemon, async (c) => (await c.call('ListDevices', {})).devices);
  cuda.script(`uuid ${Buffer.from(device?.deviceUuid ?? []).toString('hex')}`);
  const wire = await daemon.open();
  await wire.ask({ allocate: { sizeBytes: SIZE, kinds: DMA_BUF, name: 'sent' } });
  t.strictSame(cuda.calls, [], 'nothing of CUDA is stored');
  await controlled(daemon, (c) => c.call('Transfer', { fill: { allocation: { name: 'sent' }, pattern: 3 } }));
  wire.close();
  await daemon.kill();
  await daemon.serving();
  const again = await daemon.open();
  const { message, fds } = await again.ask({ claim: { allocation: { name: 'sent' }, kinds: DMA_BUF } });
  t.match(message.claim?.grants, [{ kind: 'KIND_DMA_BUF', vulkanHandleType: 0x200 }]);
  t.equal(fds.length, 1);
  t.equal(cuda.calls.at(-1), `cuMemGetHandleForAddressRange ${SIZE}`);
  for (const fd of fds) fd.close();
  await again.ask({ release: { grantId: message.claim?.grants[0]?.id ?? 0n } });
  await again.ask({ free: { allocation: { name: 'sent' } } });
  again.close();
  await nothingLeft(t, daemon);
});

t.test('what CUDA cannot make a dma-buf of is refused', { buffered: true }, async (t) => {
  const cuda = new FakeCuda(t);
  await onNvidia(t, cuda, async (host) => {
    const wire = await host.session();
    const image = { format: 37, width: 64, height: 64, usage: 3 };
    for (const [what, request] of [
      ['with MAPPABLE', { kinds: wireKinds('MAPPABLE', 'DMA_BUF'), sizeBytes: PAGE }],
      ['not dedicated', { kinds: DMA_BUF, sizeBytes: PAGE, dedication: 'DEDICATION_NEVER' }],
      ['an image', { kinds: DMA_BUF, image }],
    ] as const) {
      t.match(await refusalOf(allocate(wire, request)), { code: 'KIND_UNSUPPORTED' }, what);
    }
    const own = await allocate(wire, { sizeBytes: PAGE, kinds: wireKinds('OPAQUE_FD') });
    t.match(await refusalOf(claim(wire, own.id, 'DMA_BUF')), { code: 'KIND_NOT_REQUESTED' });
    t.match(own.allocation, { sizeBytes: PAGE }, 'memory of other kinds is as before');
    await release(own);
    t.strictSame(cuda.calls, []);
  });
});

t.test('a failure of CUDA is an error of its request', { buffered: true }, async (t) => {
  const cuda = new FakeCuda(t);
  await onNvidia(t, cuda, async (host) => {
    const wire = await host.session();
    const request = { sizeBytes: SIZE, kinds: DMA_BUF };
    const cases = [
      ['fail cuInit 999', 'KIND_UNSUPPORTED', /cuInit: CUresult 999/],
      ['fail cuDevicePrimaryCtxRetain 2', 'DEVICE_OUT_OF_MEMORY', /CtxRetain: CUDA_ERROR_OUT_OF_MEMORY/],
      [
        'fail cuMemGetHandleForAddressRange 801',
        'KIND_UNSUPPORTED',
        /AddressRange: CUDA_ERROR_NOT_SUPPORTED/,
      ],
      [`uuid ${'f'.repeat(32)}`, 'KIND_UNSUPPORTED', /CUDA has no device with this UUID/],
    ] as const;
    for (const [line, code, message] of cases) {
      cuda.script(line);
      t.match(await refusalOf(allocate(wire, request)), { code, message }, line);
    }
    cuda.script();
    await release(await allocate(wire, request));
    t.pass('the next one works');
  });
});

t.test('without CUDA the report says why', { buffered: true }, async (t) => {
  const empty = temporaryFolder(t);
  const noCuda = { folder: empty, script() {}, calls: [] } as unknown as FakeCuda;
  await onNvidia(t, noCuda, async (host) => {
    t.match(await reportOn(host, 'DMA_BUF'), {
      rung: 'RUNG_UNSUPPORTED',
      missing: 'extension',
      reason: /does not list VK_EXT_external_memory_dma_buf\. By CUDA: .*libcuda\.so\.1/,
    });
    const refusal = await refusalOf(allocate(await host.session(), { sizeBytes: PAGE, kinds: DMA_BUF }));
    t.match(refusal, { code: 'KIND_UNSUPPORTED', metadata: { missing: 'extension' } });
  });
});

t.test('CUDA is not asked on other devices', { buffered: true }, async (t) => {
  for (const [what, ...lines] of [
    ['of another vendor', 'device_type discrete'],
    ['where the driver exports dma-bufs', ...NVIDIA, 'dma_buf present'],
  ] as const) {
    const cuda = new FakeCuda(t);
    await onNvidia(
      t,
      cuda,
      async (host) => {
        t.notMatch((await reportOn(host, 'DMA_BUF')).reason, /CUDA/, what);
      },
      lines,
    );
  }
});
