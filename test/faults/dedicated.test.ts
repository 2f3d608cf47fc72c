/**
 * Drivers that require or prefer exportable memory dedicated to a buffer or an image: what the daemon
 * creates, what the grant states, and that an importer with a device of its own reads the bytes with the same
 * parameters.
 */
import t from 'tap';
import {
  allocate,
  claim,
  importElsewhere,
  onFake,
  release,
  reportOn,
  SIZE,
  sha256,
  wireKinds,
} from './support.js';

const TRANSFER = 3;
const STORAGE = 0x20;
const kinds = wireKinds('OPAQUE_FD');
const image = {
  type: 'IMAGE_TYPE_2D',
  format: 37, // VK_FORMAT_R8G8B8A8_UNORM
  width: 33,
  height: 17,
  depth: 1,
  mipLevels: 1,
  arrayLayers: 1,
  samples: 1,
  tiling: 'IMAGE_TILING_OPTIMAL',
  usage: 4, // SAMPLED
} as const;

t.test('a driver that requires dedicated memory for exportable buffers', async (t) => {
  await onFake(t, ['dedicated_only buffers'], async (host) => {
    t.match(await reportOn(host, 'OPAQUE_FD'), { rung: 'RUNG_VERIFIED' });
    t.match(
      await reportOn(host, 'MAPPABLE'),
      {
        rung: 'RUNG_UNSUPPORTED',
        missing: 'export',
        reason: /dedicated \(DEDICATED_ONLY\), which Vulkan forbids/,
      },
      'imported host memory cannot be dedicated',
    );
    const wire = await host.session();
    const cases = {
      nothing: [undefined, TRANSFER],
      storage: [{ usage: STORAGE }, STORAGE | TRANSFER],
    } as const;
    for (const [what, [buffer, usage]] of Object.entries(cases)) {
      const made = await allocate(wire, { sizeBytes: SIZE, kinds, ...(buffer && { buffer }) });
      t.match(
        made.allocation,
        { dedicated: true, buffer: { usage } },
        `${what} with a buffer: the grant states that it is dedicated`,
      );
      t.match(made.grants[0], { dedicated: true, buffer: { usage }, allocationSizeBytes: SIZE });
      await host.fill(made.id, 0x5a5a5a5a);
      t.match(await importElsewhere(host, made), { dedicated: true, sha256: sha256(SIZE, 0x5a) });
      await release(made);
    }
    const pictured = await allocate(wire, { sizeBytes: 0n, kinds, image });
    t.match(pictured.allocation, { dedicated: false }, 'memory for an image is not dedicated');
    await release(pictured);
  });
});

t.test('a driver that requires dedicated memory for exportable images', async (t) => {
  await onFake(t, ['dedicated_only images'], async (host) => {
    const wire = await host.session();
    const pictured = await allocate(wire, { sizeBytes: 0n, kinds, image });
    t.match(pictured.grants[0], {
      dedicated: true,
      image: { description: { ...image, usage: 6 }, sameDeviceAndDriver: true, layoutForOtherApis: 1 },
    });
    t.equal(
      pictured.allocation.sizeBytes,
      pictured.allocation.requirements?.sizeBytes,
      'exactly the size that the image requires',
    );
    t.match(await importElsewhere(host, pictured), { dedicated: true });
    await t.rejects(
      host.fill(pictured.id, 1),
      { code: 'KIND_UNSUPPORTED' },
      'it cannot be filled by a transfer',
    );
    await release(pictured);
    const plain = await allocate(wire, { sizeBytes: SIZE, kinds });
    t.match(plain.allocation, { dedicated: false, buffer: null }, 'memory without an image is not dedicated');
    await release(plain);
  });
});

t.test('a driver that requires dedicated memory for both: every grant states it', async (t) => {
  await onFake(t, ['dedicated_only all', 'dma_buf present', 'rdma present'], async (host) => {
    const wire = await host.session();
    for (const kind of ['OPAQUE_FD', 'DMA_BUF', 'RDMA_ADDRESS'] as const) {
      t.not((await reportOn(host, kind)).rung, 'RUNG_UNSUPPORTED', kind);
      const made = await allocate(wire, { sizeBytes: SIZE, kinds: wireKinds(kind) });
      t.match(made.allocation, { dedicated: true, buffer: { usage: TRANSFER } });
      const second = await claim(wire, made.id, kind);
      t.match(second.grants[0], { dedicated: true, buffer: { usage: TRANSFER } });
      await host.fill(made.id, 0x21212121);
      t.ok((await host.bytesOf(wire, made.id, SIZE)).equals(Buffer.alloc(Number(SIZE), 0x21)));
      for (const fd of second.fds) fd.close();
      await release(made);
    }
  });
});

t.test('a driver that prefers dedicated memory', async (t) => {
  await onFake(t, ['prefers_dedicated yes'], async (host) => {
    const wire = await host.session();
    const plain = await allocate(wire, { sizeBytes: SIZE, kinds });
    t.match(plain.allocation, { dedicated: false }, 'without a buffer or image it prefers nothing');
    await release(plain);
    const buffered = await allocate(wire, { sizeBytes: SIZE, kinds, buffer: { usage: STORAGE } });
    t.match(buffered.grants[0], { dedicated: true, buffer: { usage: STORAGE | TRANSFER } });
    await host.fill(buffered.id, 0x33333333);
    t.match(await importElsewhere(host, buffered), { dedicated: true, sha256: sha256(SIZE, 0x33) });
    await release(buffered);
    const pictured = await allocate(wire, { sizeBytes: 0n, kinds, image });
    t.match(pictured.grants[0], { dedicated: true });
    t.match(await importElsewhere(host, pictured), { dedicated: true });
    await release(pictured);
  });
});
