/** The list of devices, and the selection of one. */
import { uuidText, VkmemError } from '@vkmemd/proto';
import t from 'tap';
import type { DeviceInfo } from 'vkmemd/dist/vulkan/native.js';
import {
  chooseDevice,
  driverText,
  type HostDevice,
  listDevices,
  withHostIndices,
} from 'vkmemd/dist/vulkan/physical-device.js';
import { needsLavapipe, runScript } from './support.js';

t.test(
  'the software device is listed with all fields for a selection',
  { skip: needsLavapipe },
  async (t) => {
    const devices = await listDevices();
    t.equal(devices.length, 1);
    const [info] = devices;
    if (info === undefined) return;
    t.match(info.name, /llvmpipe/);
    t.equal(info.type, 'cpu');
    t.match(info.apiVersion, /^1\.\d+\.\d+$/);
    t.match(driverText(info), /Mesa/);
    t.equal(info.deviceUuid.length, 16);
    t.equal(info.driverUuid.length, 16);
    t.ok(info.heaps.every((heap) => heap.size > 0n));
    t.ok(info.memoryTypes.every((type) => info.heaps[type.heapIndex] !== undefined));
    t.ok(info.extensions.includes('VK_EXT_external_memory_host'));
    t.ok(info.limits.maxMemoryAllocationCount >= 4096);
    t.ok(info.limits.maxMemoryAllocationSize >= 1n << 30n);
    t.equal(info.limits.minImportedHostPointerAlignment % 4096n, 0n);
    t.equal(chooseDevice(devices, uuidText(info.deviceUuid)), info, 'by its UUID');
  },
);

/** Devices of an artificial machine, in the loader's order. */
function device(
  index: number,
  name: string,
  type: DeviceInfo['type'],
  byte: number,
  pciAddress = '',
): DeviceInfo {
  return {
    index,
    name,
    type,
    apiVersion: '1.3.0',
    vendorId: 1,
    deviceId: 1,
    driverId: 1,
    driverName: 'made up',
    driverInfo: '',
    driverVersion: 1,
    deviceUuid: new Uint8Array(16).fill(byte),
    driverUuid: new Uint8Array(16),
    pciAddress,
    heaps: [],
    memoryTypes: [],
    extensions: [],
    limits: {
      maxMemoryAllocationCount: 4096,
      maxMemoryAllocationSize: 0n,
      maxBufferSize: 0n,
      minImportedHostPointerAlignment: 0n,
      nonCoherentAtomSize: 1n,
    },
    externalMemoryRdma: false,
    semaphores: { timelines: false, timelineOpaqueFd: 0, binaryOpaqueFd: 0, binarySyncFd: 0 },
    externalBuffer: {
      opaqueFd: { features: 0, exportFromImported: 0, compatible: 0 },
      hostAllocation: { features: 0, exportFromImported: 0, compatible: 0 },
      dmaBuf: { features: 0, exportFromImported: 0, compatible: 0 },
      rdmaAddress: { features: 0, exportFromImported: 0, compatible: 0 },
    },
  };
}

t.test('indices follow PCI addresses, whatever the loader says', async (t) => {
  const devices = [
    device(0, 'llvmpipe', 'cpu', 1),
    device(1, 'beyond', 'discrete', 2, '10000:01:00.0'),
    device(2, 'second', 'discrete', 3, '0000:c1:00.0'),
    device(3, 'first', 'discrete', 4, '0000:41:00.0'),
    device(4, 'first by another driver', 'discrete', 5, '0000:41:00.0'),
    device(5, 'without', 'virtual', 6),
    device(6, 'SwiftShader', 'cpu', 7),
  ];
  const indices = withHostIndices(devices).map(({ name, hostIndex }) => [hostIndex, name]);
  t.strictSame(indices, [
    [0, 'first'],
    [0, 'first by another driver'],
    [1, 'second'],
    [2, 'beyond'],
    [3, 'without'],
    [4, 'llvmpipe'],
    [5, 'SwiftShader'],
  ]);
});

t.test('a selector is a UUID, an index or a part of the name', async (t) => {
  const listed = withHostIndices([
    device(0, 'llvmpipe', 'cpu', 0x11),
    device(1, 'NVIDIA H200', 'discrete', 0xab, '0000:c1:00.0'),
    device(2, 'NVIDIA H200', 'discrete', 0xcd, '0000:41:00.0'),
  ]);
  const [second, h200, cpu] = listed as [HostDevice, HostDevice, HostDevice];
  const devices = [h200, second, cpu];
  t.equal(chooseDevice(devices), h200, 'the best device without a selector');
  t.equal(chooseDevice(devices, ' '), h200, 'or with an empty one');
  t.equal(chooseDevice(devices, 'cdcdcdcd-cdcd-cdcd-cdcd-cdcdcdcdcdcd'), second);
  t.equal(chooseDevice(devices, 'CD'.repeat(16)), second, 'without dashes, in capitals');
  t.equal(
    chooseDevice(devices, 'GPU-cdcdcdcd-cdcd-cdcd-cdcd-cdcdcdcdcdcd'),
    second,
    'as nvidia-smi writes it',
  );
  t.equal(chooseDevice(devices, '0'), second, 'the index is in PCI order, not the position in the list');
  t.equal(chooseDevice(devices, '2'), cpu);
  t.equal(chooseDevice(devices, '200'), h200, 'a number that is not an index is a part of a name');
  t.equal(chooseDevice(devices, 'LLVM'), cpu);
  for (const absent of ['3', '20'])
    t.throws(() => chooseDevice(devices, absent), /no device matches/, 'but not one of two digits');
});

t.test('a selector without a match is refused with the list of devices', async (t) => {
  const devices = withHostIndices([device(0, 'NVIDIA H200', 'discrete', 0xab)]);
  try {
    chooseDevice(devices, 'radeon');
    t.fail('a device was chosen');
  } catch (error) {
    if (!(error instanceof VkmemError)) throw error;
    t.equal(error.code, 'INVALID_ARGUMENT');
    t.match(error.reason, /'radeon'.*0: NVIDIA H200 \(discrete, made up, abababab-abab-/);
  }
});

t.test('without a driver the error has a code and advice', { skip: needsLavapipe }, async (t) => {
  const child = await runScript('./report.js', '/nonexistent/icd.json');
  t.equal(child.code, 0, child.stderr);
  const report = JSON.parse(child.stdout);
  t.equal(report.code, 'UNAVAILABLE');
  t.match(report.reason, /No Vulkan driver was found: install .*mesa-vulkan-drivers/);
  t.match(report.reason, /VK_DRIVER_FILES is set to '\/nonexistent\/icd\.json'/);
});
