/**
 * The kinds that the fake layer adds to a driver: RDMA addresses and dma-bufs, as seen by a program of its
 * own (program/program.h).
 */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { FakeLayer } from '../support/fake-layer.js';
import { lists, onFake } from './support.js';

const RDMA = 'VK_NV_external_memory_rdma';
const DMA_BUF = 'VK_EXT_external_memory_dma_buf';
const FD = 'VK_KHR_external_memory_fd';

t.test('rdma: complete, or without one of its parts', async (t) => {
  const whole = { extension: true, feature: '1', types: '15 257', exports: '2' };
  const cases: Record<string, Partial<typeof whole>> = {
    present: {},
    'no-extension': { extension: false },
    'feature-off': { feature: '0' },
    'no-type': { types: '15' },
    'not-exportable': { exports: '0' },
    absent: { extension: false, feature: '0', types: '15', exports: '0' },
  };
  for (const [word, difference] of Object.entries(cases)) {
    await onFake(t, [`rdma ${word}`], async (program) => {
      const device = await program.must('describe');
      const found = {
        extension: lists(device, RDMA),
        feature: device.rdmaFeature,
        types: device.types?.trim(),
        exports: (await program.must('external buffer 4096')).features,
      };
      t.strictSame(found, { ...whole, ...difference }, word);
      const opened = await program.ask(`open 1 ${found.extension ? RDMA : ''}`);
      t.equal(
        opened.result,
        found.feature === '1' ? '0' : '-8',
        'the feature can be enabled where it is supported',
      );
      if (opened.result === '0') await program.must('close');
    });
  }
});

t.test('rdma: memory has an address', async (t) => {
  await onFake(t, ['rdma present'], async (program, layer) => {
    await program.must(`open 1 ${RDMA}`);
    t.match(await program.must('needs buffer 4096'), { types: '3' });
    const addresses = new Set<bigint>();
    for (const name of ['a', 'b', 'c']) {
      await program.must(`allocate ${name} 65536 1 4096`);
      const address = BigInt((await program.must(`address ${name}`)).address ?? 0);
      t.ok(address > 2n ** 63n, 'a 64-bit number');
      t.equal(address % 4096n, 0n, 'page-aligned');
      addresses.add(address);
    }
    t.equal(addresses.size, 3, 'each has its own');
    await program.must('fill a 4096 7');
    t.match(await program.ask('map a'), { call: 'vkMapMemory', result: '-13' }, 'it is not host-visible');
    for (const name of ['a', 'b', 'c']) await program.must(`free ${name}`);
    await program.must('close');
    t.match(layer.calls('vkAllocateMemory'), Array(3).fill({ values: { size: '65536', type: '1' } }));
  });
  await onFake(t, ['rdma present'], async (program) => {
    await program.must('open 0');
    t.match(await program.must('address none'), { found: '0' }, 'the function does not exist unless enabled');
    await program.must('close');
  });
});

t.test('dma_buf: a memfd with the bytes of the memory', async (t) => {
  await onFake(t, ['dma_buf present'], async (program) => {
    t.ok(lists(await program.must('describe'), DMA_BUF));
    const both = { features: '6', compatible: '512' };
    t.match(
      await program.must('external buffer 512'),
      both,
      'exportable, importable, compatible with itself only',
    );
    t.match(await program.must('external image 512'), both);
    t.match(
      await program.must('external buffer 1'),
      { compatible: '1' },
      'OPAQUE_FD is not compatible with it',
    );
    await program.must(`open 0 ${DMA_BUF} ${FD}`);
    t.match(await program.must('needs image 512'), { types: '1' });
    await program.must('allocate a 5000 0 512');
    const { fd, cloexec } = await program.must('export a 512');
    t.match({ fd, cloexec }, { fd: '900', cloexec: '0' }, 'a high number, inherited by exec');
    t.match(await program.must('export a 512'), { fd: '901' });
    await program.must('fill a 512 77');
    t.match(await program.must('mmap 900'), { errno: '0', word: '77' }, "mmap(2) shows the device's bytes");
    t.match(await program.must('sync 900'), { errno: '0' });
    t.match(await program.must('fd-types 900'), { types: '1' });
    t.match(await program.ask('fd-types 0'), { result: '-1000072003' }, 'another file is not a dma-buf');
    await program.must('import b 5000 0 900');
    t.match(await program.must('mmap 900'), { errno: '9' }, 'the import owns the fd');
    await program.must('fill b 512 78');
    t.match(await program.must('mmap 901'), { word: '78' });
    await program.must('free a');
    t.match(await program.must('map b'), { word: '78' }, 'and holds the bytes itself');
    await program.must('free b');
    await program.must('close');
  });
});

t.test('dma_buf: mmap can be made to fail', async (t) => {
  for (const [word, errno] of Object.entries({
    'mmap-524': '524',
    'mmap-ENOMEM': '12',
    'mmap-ENODEV': '19',
  })) {
    await onFake(t, [`dma_buf ${word}`, 'dma_buf_sync fails'], async (program) => {
      await program.must(`open 0 ${DMA_BUF} ${FD}`);
      await program.must('allocate a 4096 0 512');
      await program.must('export a 512');
      t.match(await program.must('mmap 900'), { errno }, word);
      t.match(await program.must('sync 900'), { errno: '25' }, 'ENOTTY');
      await program.must('import b 4096 0 900');
      await program.must('fill a 512 5');
      t.match(await program.must('map b'), { word: '5' }, 'the device still has the bytes');
      for (const name of ['a', 'b']) await program.must(`free ${name}`);
      await program.must('close');
    });
  }
});

t.test('dma_buf: a client without the layer can have the ioctl', async (t) => {
  const ioctl = 'import fcntl,os; fcntl.ioctl(os.memfd_create("x"), 0x40086200, bytes(8))';
  const python = (...words: string[]) => spawnSync(FakeLayer.filtered, [...words, 'python3', '-c', ioctl]);
  t.equal(python('works').status, 0);
  const failed = python('fails');
  t.equal(failed.status, 1);
  t.match(failed.stderr.toString(), /ENOTTY|Inappropriate ioctl/);
  t.equal(python().status, 64);
});
