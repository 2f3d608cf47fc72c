/** OPAQUE_FD memory in a second process with a device of its own. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { uuidText } from '@vkmemd/proto';
import t from 'tap';
import { Device, type ExportedHandle } from 'vkmemd/dist/vulkan/device.js';
import {
  dispose,
  fdOf,
  lavapipe,
  make,
  needsLavapipe,
  openFds,
  readAny,
  runScript,
  settledFds,
  writeMappable,
} from './support.js';

if (needsLavapipe) t.plan(0, needsLavapipe);
else {
  const device = await Device.open();
  const plan = await device.plan({ kinds: ['OPAQUE_FD'], size: 65_536n });
  t.teardown(() => device.close());

  /** The bytes that another process reads through the handle. */
  async function importElsewhere(handle: ExportedHandle, size: bigint): Promise<Record<string, string>> {
    const args = [String(size), String(plan.memoryTypeIndex)];
    const child = await runScript('./importer.js', lavapipe ?? '', args, [fdOf(handle).fd]);
    if (child.code !== 0) throw new Error(`the importer ended with ${child.code}: ${child.stderr}`);
    return JSON.parse(child.stdout);
  }

  t.test('new memory is zero', async (t) => {
    // Memory that was changed and freed before exposes a driver that recycles pages.
    const dirty = await make(device, 1n << 20n, ['OPAQUE_FD']);
    await device.fill(dirty, 0n, dirty.size, 0xffffffff);
    await dispose(dirty);
    const memory = await make(device, 1n << 20n, ['OPAQUE_FD']);
    t.ok((await readAny(device, memory)).equals(Buffer.alloc(1 << 20)));
    await dispose(memory);
  });

  t.test('another process imports it and reads the same bytes', async (t) => {
    // The first child of a process makes Node.js open fds of its own.
    await new Promise((resolve) => spawn('true').once('close', resolve));
    const before = openFds();
    const size = 1n << 20n;
    const memory = await make(device, size, ['OPAQUE_FD']);
    const staging = await make(device, size, ['MAPPABLE']);
    const content = Buffer.alloc(Number(size), 'an opaque handle to the same memory; ');
    await writeMappable(staging, (bytes) => content.copy(bytes));
    await device.copy(staging, 0n, memory, 0n, size);
    await dispose(staging);

    const handle = await memory.export('OPAQUE_FD', 'rw');
    const seen = await importElsewhere(handle, size);
    const sha256 = createHash('sha256').update(content).digest('hex');
    t.equal(seen.sha256, sha256);
    t.equal(seen.deviceUuid, uuidText(device.info.deviceUuid));
    t.equal(seen.driverUuid, uuidText(device.info.driverUuid));

    await dispose(memory);
    t.equal(device.liveMemories, 0);
    t.equal((await importElsewhere(handle, size)).sha256, sha256, 'the fd alone keeps it alive');
    fdOf(handle).close();
    t.equal(await settledFds(before), before);
  });

  t.test('a handle describes itself, and cannot be mapped', async (t) => {
    const memory = await make(device, 4096n, ['OPAQUE_FD']);
    t.equal(memory.fds, 0, 'the daemon keeps no fd');
    t.equal(memory.heldElsewhere(), undefined, 'its holders are unknown');
    const handle = await memory.export('OPAQUE_FD', 'ro');
    t.match(handle, { kind: 'OPAQUE_FD', mapOffset: 0n, mapSize: 0n, handleType: 1, dmaBufSync: false });
    t.ok(handle.fileSize >= 4096n, "lavapipe's opaque fd is a file with a header");
    const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fdOf(handle).fd}`, 'utf8'))?.[1];
    t.equal(Number.parseInt(flags ?? '0', 8) & 0o2000000, 0o2000000, 'close-on-exec');
    fdOf(handle).close();
    await dispose(memory);
    await t.rejects(memory.export('OPAQUE_FD', 'rw'), { code: 'NOT_FOUND' });
  });

  t.test('an imported fd keeps its bytes, and can be exported again', async (t) => {
    const first = await make(device, 65_536n, ['OPAQUE_FD']);
    await device.fill(first, 0n, 65_536n, 0xa5a5a5a5);
    const fd = fdOf(await first.export('OPAQUE_FD', 'rw'));
    await dispose(first);
    const second = device.adopt(plan, new Map([[1, fd]]));
    t.equal(second.fds, 1, 'the fd is kept, because an import cannot be exported');
    const expected = Buffer.alloc(65_536, 0xa5);
    t.ok((await readAny(device, second)).equals(expected));
    const retried = await second.export('OPAQUE_FD', 'rw');
    await dispose(second);
    const sha256 = createHash('sha256').update(expected).digest('hex');
    t.equal((await importElsewhere(retried, 65_536n)).sha256, sha256);
    fdOf(retried).close();
  });
}
