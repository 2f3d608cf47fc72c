/** The order of frees and closes, concurrency, threads, and objects that were never freed. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { createMemfd } from '@vkmemd/proto';
import t from 'tap';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { loadNative } from 'vkmemd/dist/vulkan/native.js';
import { dispose, fdOf, lavapipe, make, needsLavapipe, openFds, readAny, runScript } from './support.js';

if (needsLavapipe) t.plan(0, needsLavapipe);
else {
  const device = await Device.open();
  t.teardown(() => device.close());

  t.test('sixteen concurrent allocations', async (t) => {
    const before = openFds();
    const memories = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        make(device, 1n << 20n, [index % 2 === 0 ? 'MAPPABLE' : 'OPAQUE_FD']),
      ),
    );
    t.equal(device.liveMemories, 16);
    await Promise.all(
      memories.map((memory, index) => device.fill(memory, 0n, memory.size, 0x01010101 * index)),
    );
    for (const [index, memory] of memories.entries()) {
      t.ok(
        (await readAny(device, memory)).equals(Buffer.alloc(1 << 20, index)),
        `memory ${index} has its own bytes`,
      );
    }
    await Promise.all(memories.map((memory) => dispose(memory)));
    t.equal(device.liveMemories, 0);
    t.equal(openFds(), before);
  });

  t.test('sizes are rounded up to pages and limited by the heap', async (t) => {
    for (const [asked, made] of [
      [1n, 4096n],
      [4096n, 4096n],
      [4097n, 8192n],
    ] as const) {
      t.equal((await device.plan({ kinds: ['MAPPABLE'], size: asked })).size, made);
    }
    await t.rejects(device.plan({ kinds: ['MAPPABLE'], size: 0n }), { code: 'INVALID_SIZE' });
    await t.rejects(device.plan({ kinds: ['MAPPABLE'], size: -4096n }), { code: 'INVALID_SIZE' });
    const heap = device.info.heaps[0]?.size ?? 0n;
    await t.rejects(make(device, heap + 4096n, ['MAPPABLE']), { code: 'SIZE_ABOVE_MAXIMUM' });
    t.equal(device.liveMemories, 0);
  });

  t.test('free() waits for transfers, and may be called twice', async (t) => {
    const [source, target] = await Promise.all([
      make(device, 1n << 26n, ['OPAQUE_FD']),
      make(device, 1n << 26n, ['OPAQUE_FD']),
    ]);
    const copies = Array.from({ length: 4 }, (_, index) =>
      index % 2 === 0
        ? device.copy(source, 0n, target, 0n, source.size)
        : device.copy(target, 0n, source, 0n, source.size),
    );
    const ends = [source.freeDevice(), target.freeDevice(), source.freeDevice()];
    const settled = await Promise.allSettled(copies);
    for (const result of settled) {
      if (result.status === 'rejected') t.match(result.reason, { code: 'NOT_FOUND' }, 'it came too late');
    }
    await Promise.all(ends);
    t.equal(device.liveMemories, 0);
  });

  t.test('a device may be closed before its memory', async (t) => {
    const other = await Device.open();
    const memory = await make(other, 65_536n, ['OPAQUE_FD']);
    await Promise.all([other.close(), other.close()]);
    await t.rejects(other.allocate(memory.plan, { name: 'test' }), { code: 'UNAVAILABLE' });
    const fd = fdOf(await memory.export('OPAQUE_FD', 'rw'));
    fd.close();
    await memory.freeDevice();
  });

  t.test('unreferenced memory is freed by the garbage collector', async (t) => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const mapped = (): boolean => readFileSync('/proc/self/maps', 'utf8').includes('test-forgotten');
    const raw = await loadNative().openDevice(0, 0n);
    await (async () => {
      const memfd = await createMemfd('test-forgotten', 65_536n);
      await raw.importHost(memfd.fd, 65_536n, 0, 0);
      memfd.close();
    })();
    for (let i = 0; i < 100 && mapped(); i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    t.equal(mapped(), false);
    await raw.destroy();
  });

  t.test('threads have devices of their own and may end during work', async (t) => {
    for (const manner of ['idle', 'busy']) {
      const worker = new Worker(new URL('./device-worker.js', import.meta.url), { workerData: manner });
      const exited = new Promise<number>((resolve) => worker.once('exit', resolve));
      const live = await new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
      t.equal(live, 2);
      if (manner === 'busy') await worker.terminate();
      t.equal(await exited, manner === 'busy' ? 1 : 0, manner);
    }
    const memory = await make(device, 4096n, ['OPAQUE_FD']);
    await dispose(memory);
  });

  t.test('a process that frees nothing ends without an error', async (t) => {
    const child = await runScript('./report.js', lavapipe ?? '', ['leak']);
    t.same([child.code, child.signal, child.stderr], [0, null, '']);
  });
}
