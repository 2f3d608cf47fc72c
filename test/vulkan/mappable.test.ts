/** MAPPABLE memory as a client sees it. */
import { fstatSync } from 'node:fs';
import { mapFd, readSeals, SEALS } from '@vkmemd/proto';
import t from 'tap';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { dispose, fdOf, make, needsLavapipe, openFds, readMappable, writeMappable } from './support.js';

if (needsLavapipe) t.plan(0, needsLavapipe);
else {
  const device = await Device.open();
  const plan = await device.plan({ kinds: ['MAPPABLE'], size: 65_536n });
  t.teardown(() => device.close());

  t.test('new memory is zero', async (t) => {
    const memory = await make(device, 1n << 20n, ['MAPPABLE']);
    t.ok((await readMappable(memory)).equals(Buffer.alloc(1 << 20)));
    await dispose(memory);
  });

  t.test("client and device see each other's writes", async (t) => {
    const before = openFds();
    const [source, target] = [
      await make(device, 65_536n, ['MAPPABLE']),
      await make(device, 65_536n, ['MAPPABLE']),
    ];
    await writeMappable(source, (bytes) => bytes.fill('written by a client. '));
    await device.copy(source, 0n, target, 0n, 65_536n);
    t.ok((await readMappable(target)).equals(Buffer.alloc(65_536, 'written by a client. ')));

    const fd = fdOf(await target.export('MAPPABLE', 'rw'));
    const mapping = mapFd(fd, { offset: 0n, length: 65_536, access: 'rw' });
    await device.fill(target, 0n, 65_536n, 0xdeadbeef);
    t.ok(
      new Uint32Array(mapping.buffer).every((word) => word === 0xdeadbeef),
      'through an existing mapping',
    );
    mapping.unmap();
    fd.close();
    await dispose(source, target);
    t.equal(openFds(), before);
    t.equal(device.liveMemories, 0);
  });

  t.test('a handle describes itself', async (t) => {
    const memory = await make(device, 8192n, ['MAPPABLE']);
    t.equal(memory.fds, 1);
    t.equal(memory.dedicated, false);
    const handle = await memory.export('MAPPABLE', 'rw');
    t.match(handle, {
      kind: 'MAPPABLE',
      mapOffset: 0n,
      mapSize: 8192n,
      fileSize: 8192n,
      handleType: 0,
      dmaBufSync: false,
      remoteAddress: 0n,
    });
    t.equal(fstatSync(fdOf(handle).fd).mode & 0o777, 0o600);
    t.equal(readSeals(fdOf(handle)) & (SEALS.SHRINK | SEALS.GROW), SEALS.SHRINK | SEALS.GROW);
    await t.rejects(memory.export('OPAQUE_FD', 'rw'), { code: 'KIND_NOT_REQUESTED' });
    fdOf(handle).close();
    await dispose(memory);
    t.equal(memory.fds, 0);
  });

  t.test('freed memory drains while another process holds it', async (t) => {
    const memory = await make(device, 65_536n, ['MAPPABLE']);
    await device.fill(memory, 0n, 65_536n, 42);
    const fd = fdOf(await memory.export('MAPPABLE', 'rw'));
    const mapping = mapFd(fd, { offset: 0n, length: 65_536, access: 'rw' });
    await memory.freeDevice();
    t.equal(device.liveMemories, 0, 'the device memory is freed');
    t.equal(memory.heldElsewhere(), true, 'by fd and mapping');
    fd.close();
    t.equal(memory.heldElsewhere(), true, 'by the mapping alone');
    t.equal(new Uint32Array(mapping.buffer)[0], 42, "the client's mapping stays valid");
    await t.rejects(memory.export('MAPPABLE', 'rw'), { code: 'NOT_FOUND' }, 'it can no longer be exported');
    mapping.unmap();
    for (let i = 0; i < 100 && memory.heldElsewhere() === true; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    t.equal(memory.heldElsewhere(), false);
    memory.closeHandles();
    memory.closeHandles();
    t.equal(memory.heldElsewhere(), undefined, 'the state is no longer known');
  });

  t.test('an imported memfd keeps its bytes', async (t) => {
    const first = await make(device, 65_536n, ['MAPPABLE']);
    await device.fill(first, 0n, 65_536n, 0x01020304);
    const fd = fdOf(await first.export('MAPPABLE', 'rw'));
    await dispose(first);
    const second = device.adopt(plan, new Map([[0, fd]]));
    t.equal(second.restoring, true);
    await device.restore(second);
    t.equal(second.restoring, false);
    t.ok((await readMappable(second)).equals(Buffer.alloc(65_536, Buffer.of(4, 3, 2, 1))));
    t.equal(second.fds, 1);

    const other = fdOf(await second.export('MAPPABLE', 'rw'));
    t.throws(() => device.adopt({ ...plan, size: 4096n }, new Map([[0, other]])), { code: 'INVALID_SIZE' });
    t.equal(other.open, false, 'closed when it could not be imported');
    await dispose(second);
    t.throws(() => device.adopt({ ...plan, size: 4096n }, new Map()), { code: 'KIND_UNSUPPORTED' });
  });
}
