/**
 * vkmemctl doctor and alloc against a fake daemon, for devices and allocations that no test machine has:
 * their requests, their output, and that the tables fit a terminal.
 */
import type { Decoded } from '@vkmemd/proto';
import t from 'tap';
import { COUNTS, HEAP, startFakeControl } from '../client/fake-control.js';
import { startFakeDaemon } from '../client/fake-daemon.js';
import { temporaryFolder } from '../support/daemon.js';
import { parsed, vkmemctl } from './support.js';

const WHY = `vkGetMemoryFdKHR ${'says a great deal about what it will not do, '.repeat(6)}and a_word_without_end_${'x'.repeat(120)}`;

/** A device with long names, all flags, and a reason for each kind. */
const DEVICE = {
  name: `Fake ${'N'.repeat(200)}`,
  type: 'DEVICE_TYPE_DISCRETE_GPU',
  driverName: 'fake driver',
  driverInfo: '1.2.3',
  deviceUuid: Buffer.alloc(16, 0xab),
  driverUuid: Buffer.alloc(16, 0xcd),
  heaps: [{ index: 0, sizeBytes: 1n << 40n, flags: 3 }],
  memoryTypes: [
    { index: 0, heapIndex: 0, propertyFlags: 0 },
    { index: 31, heapIndex: 15, propertyFlags: 0x3ff },
  ],
  kinds: [
    { kind: 'KIND_MAPPABLE', rung: 'RUNG_UNSUPPORTED', reason: WHY, missing: 'works' },
    { kind: 'KIND_OPAQUE_FD', rung: 'RUNG_VERIFIED', via: 'VK_KHR_external_memory_fd', reason: WHY },
    { kind: 'KIND_DMA_BUF', rung: 'RUNG_SUPPORTED', via: 'VK_EXT_external_memory_dma_buf', reason: WHY },
    { kind: 'KIND_RDMA_ADDRESS', rung: 'RUNG_UNSUPPORTED', reason: 'no such thing', missing: 'feature' },
  ],
  maxAllocationCount: 4096,
  maxMappedAllocationCount: 60_000,
  maxAllocationSizeBytes: 4n << 30n,
} as const;

t.test('doctor prints an unmappable device within 100 columns', async (t) => {
  const { runtimeDir } = startFakeDaemon(t, ({ sequence }) => [
    { message: { sequence, error: { code: 12, message: 'not here' } } },
  ]);
  await startFakeControl(t, runtimeDir, {
    ListDevices: () => ({ devices: [DEVICE], daemonVersion: '9', incarnation: 'fake' }),
    GetBudget: () => ({ heaps: [HEAP], counts: COUNTS }),
  });
  const { code, stdout } = await vkmemctl(runtimeDir, 'doctor');
  t.equal(code, 1);
  const lines = stdout.trimEnd().split('\n');
  t.same(
    lines.filter((line) => line.length > 100),
    [],
    'no line is longer',
  );
  t.match(stdout, /^FAILED {2}mappable memory {2}NOT_MAPPABLE: vkGetMemoryFdKHR says/m);
  t.match(stdout, /^MAPPABLE +UNSUPPORTED +offered, but the probe failed; vkGet/m);
  t.match(stdout, /^RDMA_ADDRESS +UNSUPPORTED +the feature is missing; no such thing$/m);
  t.match(
    stdout,
    /^Allocations: 3 of at most 4096 \(by the driver\); the driver guarantees sizes up to 4 GiB/m,
  );
  t.equal(stdout.replace(/\s/g, '').split(WHY.replace(/\s/g, '')).length - 1, 4, 'no reason is truncated');

  const { devices, ok } = parsed(await vkmemctl(runtimeDir, 'doctor', '--json'));
  t.equal(ok, false);
  t.match(devices, [
    {
      type: 'DISCRETE_GPU',
      heaps: [{ index: 0, sizeBytes: 2 ** 40, flags: ['DEVICE_LOCAL', 'MULTI_INSTANCE'] }],
      kinds: {
        MAPPABLE: { rung: 'UNSUPPORTED', via: '', reason: WHY, missing: 'works' },
        OPAQUE_FD: { rung: 'VERIFIED', via: 'VK_KHR_external_memory_fd', reason: WHY, missing: '' },
      },
      budgetSource: 'EXT',
      limits: { maxMemoryAllocationCount: 4096, maxMemoryAllocationSize: 2 ** 32, allocations: 3 },
    },
  ]);
  t.same(devices[0].memoryTypes[1].flags.slice(-2), ['RDMA_CAPABLE_NV', 'BIT_9']);
});

t.test('alloc sends its options and prints the answer', async (t) => {
  const asked: Decoded<'AllocateRequest'>[] = [];
  const runtimeDir = temporaryFolder(t);
  await startFakeControl(t, runtimeDir, {
    Allocate: (request) => {
      asked.push(request);
      return {
        allocation: {
          id: 'fake',
          name: request.name,
          sizeBytes: 8_388_608n,
          kinds: request.kinds,
          memoryTypeIndex: 4,
          memoryPropertyFlags: 0x101,
          dedicated: true,
          handleTypes: 1,
          requirements: {
            sizeBytes: 8_294_400n,
            alignmentBytes: 64n,
            memoryTypeBits: 0x13,
            requiresDedicated: true,
          },
          ...(request.image && { image: request.image }),
          ...(request.buffer && { buffer: request.buffer }),
        },
      };
    },
  });
  const alloc = (...args: string[]) => vkmemctl(runtimeDir, 'alloc', 'x', ...args);
  const image = 'format=37, width=1920,height=1080,usage=0x13,tiling=linear,type=2d';
  const { code, stdout } = await alloc('--kind', 'opaque_fd', '--image', image);
  t.equal(code, 0);
  t.equal(
    stdout,
    [
      'Allocated x: 8 MiB, OPAQUE_FD, id fake.',
      'Memory type 4 of heap 0 (DEVICE_LOCAL RDMA_CAPABLE_NV), dedicated.',
      'Requirements: 8294400 bytes, aligned to 64, memory types 0 1 4, dedicated memory required.\n',
    ].join('\n'),
  );
  t.match(asked[0], {
    sizeBytes: 0n,
    image: { format: 37, width: 1920, height: 1080, usage: 0x13, tiling: 'IMAGE_TILING_LINEAR' },
  });
  const tiled = 'format=37,width=8,usage=1,tiling=drm_format_modifier,drmFormatModifiers=0+0x100000000000001';
  t.equal((await alloc('--kind', 'dma_buf', '--image', tiled)).code, 0);
  t.match(asked.pop(), {
    image: { tiling: 'IMAGE_TILING_DRM_FORMAT_MODIFIER', drmFormatModifiers: [0n, 0x0100_0000_0000_0001n] },
  });
  t.equal((await alloc('--size', '1M', '--kind', 'opaque_fd', '--dedicated', 'never')).code, 0);
  t.match(asked.pop(), { dedication: 'DEDICATION_NEVER' });
  const wrong = await alloc('--size', '1M', '--dedicated', 'often');
  t.match(wrong, {
    code: 1,
    stderr: /INVALID_ARGUMENT.*--dedicated: "OFTEN" is not one of AUTO, NEVER, ALWAYS/,
  });
  const properties = ['--require', 'device_local', '--prefer', 'HOST_CACHED', '--forbid', 'PROTECTED'];
  const more = [
    '--forbid',
    'LAZILY_ALLOCATED',
    '--memory-type',
    '4',
    '--buffer-usage',
    '0x3',
    '--size',
    '1M',
  ];
  const { allocation } = parsed(await alloc(...properties, ...more, '--json'));
  t.match(asked[1], {
    requiredPropertyFlags: 1,
    preferredPropertyFlags: 8,
    forbiddenPropertyFlags: 0x30,
    memoryTypeIndex: 4,
    buffer: { usage: 3 },
  });
  t.match(allocation, {
    flags: ['DEVICE_LOCAL', 'RDMA_CAPABLE_NV'],
    dedicated: true,
    imported: false,
    handleTypes: 1,
    requirements: { sizeBytes: 8_294_400, alignmentBytes: 64, memoryTypeBits: 0x13, requiresDedicated: true },
    buffer: { usage: 3 },
    image: null,
  });
});
