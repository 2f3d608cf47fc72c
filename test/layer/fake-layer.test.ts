/**
 * The fake layer follows its scripts, as seen by a program of its own (program/program.h) and by a daemon: a
 * device's description, its limits and budgets. kinds.test.ts tests the kinds that it adds, faults.test.ts
 * scripted failures.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lavapipe, startDaemon } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { FakeProgram, lists, onFake } from './support.js';

const HOST = 'VK_EXT_external_memory_host';
const BUDGET = 'VK_EXT_memory_budget';
const FORMAT_NOT_SUPPORTED = '-11';

t.test('without a script the layer changes only the names of the driver', async (t) => {
  const plain = new FakeProgram({ VK_DRIVER_FILES: lavapipe(), VK_INSTANCE_LAYERS: '' });
  const real = await plain.must('describe');
  await plain.end();
  await onFake(t, [], async (program, layer) => {
    const fake = await program.must('describe');
    t.equal(fake.name, `${real.name} (vkmemd fake)`);
    t.equal(fake.driver, `${real.driver}, behind VK_LAYER_VKMEMD_fake (a fake for tests)`);
    t.strictSame(
      { ...fake, name: '', driver: '' },
      { ...real, name: '', driver: '' },
      'everything else is the same',
    );
    t.match(readFileSync(join(layer.folder, 'log'), 'utf8'), /^# VK_LAYER_VKMEMD_fake: A fake/);
  });
});

t.test('a real daemon starts on the layer', async (t) => {
  const layer = new FakeLayer(t, 'limit maxMemoryAllocationCount 77');
  const daemon = await startDaemon(t, { env: layer.environment });
  t.match(daemon.line, /device llvmpipe .*\(vkmemd fake\)/);
  t.match(daemon.line, /VK_LAYER_VKMEMD_fake \(a fake for tests\)/);
  t.match(daemon.line, /MAPPABLE VERIFIED/);
  t.strictSame(await daemon.stop(), { code: 0, signal: null });
  t.equal(layer.calls('vkDestroyDevice').length, 1, 'it destroys its device');
  t.strictSame(layer.leaks(), [], 'with nothing left');
});

t.test('a script sets host import, dedicated memory and limits', async (t) => {
  await onFake(t, ['host_import absent', 'dma_buf present'], async (program) => {
    t.notOk(lists(await program.must('describe'), HOST));
    t.match(await program.must('external buffer 128'), { features: '0' });
    t.match(await program.ask('external image 128'), { result: FORMAT_NOT_SUPPORTED });
    t.match(await program.must('external buffer 512'), { features: '6' }, 'dma-buf is available without it');
  });
  for (const [word, buffer, image] of [
    ['none', '6', '6'],
    ['buffers', '7', '6'],
    ['images', '6', '7'],
    ['all', '7', '7'],
  ]) {
    await onFake(t, [`dedicated_only ${word}`, 'prefers_dedicated yes'], async (program) => {
      t.match(await program.must('external buffer 1'), { features: buffer }, `${word}: a buffer`);
      t.match(await program.must('external image 1'), { features: image }, `${word}: an image`);
      await program.must('open 0');
      const required = buffer === '7' ? '1' : '0';
      t.match(await program.must('needs buffer 1'), { requires: required, prefers: '1' });
      t.match(
        await program.must('needs buffer 0'),
        { requires: '0', prefers: '1' },
        'not if it has no handle type',
      );
      await program.must('close');
    });
  }
  const limits = ['limit maxMemoryAllocationCount 2', 'limit maxMemoryAllocationSize 12345'];
  await onFake(t, limits, async (program) => {
    t.match(await program.must('describe'), { maxCount: '2', maxSize: '12345' });
    await program.must('open 0');
    for (const name of ['a', 'b']) await program.must(`allocate ${name} 4096 0 0`);
    t.match(await program.ask('allocate c 4096 0 0'), { result: '-10' }, 'one above the maximum is refused');
    await program.must('free a');
    await program.must('allocate a 65536 0 0');
    for (const name of ['a', 'b']) await program.must(`free ${name}`);
    await program.must('close');
  });
});

t.test('a script sets budgets', async (t) => {
  await onFake(t, ['budget present'], async (program, layer) => {
    const { heap, ...device } = await program.must('describe');
    t.ok(lists(device, BUDGET));
    const max = (BigInt(heap ?? 0) / 10n) * 9n;
    t.match(await program.must('budget'), { budget: String(max), usage: '0' });
    await program.must('open 0');
    await program.must('allocate a 65536 0 0');
    t.match(await program.must('budget'), { budget: String(max), usage: '65536' }, 'live bytes are in use');
    const above = String(BigInt(heap ?? 0) * 2n);
    for (const [budget, usage] of [
      ['0', 'live'],
      [above, '123'],
    ]) {
      layer.script(`budget 0 ${budget} ${usage}`);
      t.match(await program.must('budget'), { budget, usage: usage === 'live' ? '65536' : usage });
    }
    layer.script('budget 0 250 0', 'budget_shrink 0 100');
    for (const budget of ['150', '50', '0', '0']) t.match(await program.must('budget'), { budget });
    await program.must('free a');
    await program.must('close');
  });
});
