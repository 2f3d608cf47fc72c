/** Memory that CUDA made: the device imports it when it is used first, once, and not before. */
import t from 'tap';
import { Device, type DeviceMemory, type ImportTerms } from 'vkmemd/dist/vulkan/device.js';
import { ownFile } from 'vkmemd/dist/vulkan/foreign-handle.js';
import { dispose, fdOf, make, needsLavapipe, openFds, readAny } from './support.js';

const SIZE = 65_536n;

/** An import of the memory that `source` exports, as if CUDA had made it. */
async function imported(device: Device, source: DeviceMemory): Promise<DeviceMemory> {
  const { deviceUuid } = device.info;
  using fd = fdOf(await source.export('OPAQUE_FD', 'rw'));
  const terms: ImportTerms = {
    source: 'CUDA_VMM',
    size: SIZE,
    kinds: ['OPAQUE_FD'],
    deviceUuid,
    driverUuid: new Uint8Array(),
  };
  const plan = await device.planImport(terms, fd);
  return device.import(terms, plan, ownFile(fd, terms.source));
}

t.test('memory that is imported late', { skip: needsLavapipe }, async (t) => {
  const device = await Device.open();
  const source = await make(device, SIZE, ['OPAQUE_FD']);
  await device.fill(source, 0n, SIZE, 0x09090909);
  const before = openFds();

  await t.test('concurrent transfers wait for one import', async (t) => {
    const memory = await imported(device, source);
    t.match(memory, { source: 'CUDA_VMM', imported: true, dedicated: false, degraded: undefined });
    t.strictSame([device.liveMemories, device.memories, memory.fds], [1, 2, 1], 'only its fd exists');
    fdOf(await memory.export('OPAQUE_FD', 'ro')).close();
    for (const fd of (await memory.persistentHandles()).values()) fd.close();
    t.equal(memory.asksDriver('OPAQUE_FD'), false);
    t.strictSame([device.liveMemories, device.memories], [1, 2], 'also after a grant');
    const target = await make(device, SIZE, ['OPAQUE_FD']);
    await Promise.all([
      device.copy(memory, 0n, target, 0n, SIZE),
      device.sync(memory),
      device.copy(memory, 0n, target, 0n, 4096n),
    ]);
    t.strictSame([device.liveMemories, device.memories], [3, 3], 'one more VkDeviceMemory');
    t.ok((await readAny(device, target)).equals(Buffer.alloc(Number(SIZE), 9)), 'with its bytes');
    fdOf(await memory.export('OPAQUE_FD', 'rw')).close();
    await dispose(target);
    await dispose(memory);
    t.strictSame([device.liveMemories, device.memories], [1, 1]);
  });

  await t.test('adopted by the next daemon it is imported late too', async (t) => {
    const first = await imported(device, source);
    const stored = await first.persistentHandles();
    await dispose(first);
    t.strictSame([device.liveMemories, device.memories], [1, 1], 'it was never imported');
    const memory = device.adopt(first.plan, stored, { imported: true });
    t.equal(device.liveMemories, 1);
    await device.revive(memory);
    t.equal(device.liveMemories, 1, 'no recovery imports it either');
    t.ok((await readAny(device, memory)).equals(Buffer.alloc(Number(SIZE), 9)));
    t.equal(device.liveMemories, 2);
    await dispose(memory);
    await t.rejects(device.sync(memory), { code: 'NOT_FOUND' }, 'not once it is freed');
    const unused = await imported(device, source);
    await dispose(unused);
    await t.rejects(device.sync(unused), { code: 'NOT_FOUND' });
  });

  t.equal(openFds(), before, 'no fd is left');
  await dispose(source);
  t.strictSame([device.liveMemories, device.memories], [0, 0]);
  await device.close();
});
