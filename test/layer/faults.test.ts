/** Calls that fail, are slow or lose the device by script, and the layer's own record of the calls. */
import t from 'tap';
import { FakeLayer } from '../support/fake-layer.js';
import { FakeProgram } from './support.js';

const OUT_OF_DEVICE_MEMORY = '-2';
const DEVICE_LOST = '-4';

t.test('the n-th call fails, counted from the last change of the script', async (t) => {
  const layer = new FakeLayer(t, 'fail vkAllocateMemory 2 VK_ERROR_OUT_OF_DEVICE_MEMORY');
  const program = new FakeProgram(layer.environment);
  await program.must('open 0');
  const allocate = async (name: string) => (await program.ask(`allocate ${name} 4096 0 0`)).result;
  t.equal(await allocate('a'), '0');
  t.equal(await allocate('b'), OUT_OF_DEVICE_MEMORY);
  t.equal(await allocate('b'), '0');
  layer.script('fail vkAllocateMemory 1 VK_ERROR_TOO_MANY_OBJECTS');
  t.equal(await allocate('c'), '-10');
  t.equal(await allocate('c'), '0');
  layer.script('fail vkAllocateMemory * VK_ERROR_OUT_OF_HOST_MEMORY');
  for (let i = 0; i < 3; i++) t.equal(await allocate('d'), '-1');
  layer.script();
  t.equal(await allocate('d'), '0');
  for (const name of ['a', 'b', 'c', 'd']) await program.must(`free ${name}`);
  await program.must('close');
  t.match(await program.end(), { code: 0 });
  t.strictSame(
    layer.calls('vkAllocateMemory').filter(({ result }) => result === 'VK_SUCCESS').length,
    layer.calls('vkFreeMemory').length,
  );
  t.strictSame(layer.leaks(), []);
});

t.test('every call of a fill can fail', async (t) => {
  const layer = new FakeLayer(t);
  const program = new FakeProgram(layer.environment);
  await program.must('open 0');
  await program.must('allocate a 4096 0 0');
  const calls = [
    'vkCreateBuffer',
    'vkBindBufferMemory',
    'vkCreateFence',
    'vkCreateCommandPool',
    'vkAllocateCommandBuffers',
    'vkBeginCommandBuffer',
    'vkEndCommandBuffer',
    'vkQueueSubmit',
  ];
  for (const call of calls) {
    layer.script(`fail ${call} 1 VK_ERROR_UNKNOWN`);
    t.match(await program.ask('fill a 0 1'), { call, result: '-13' }, call);
    await program.must('fill a 0 1');
  }
  layer.script('fail vkCreateDevice 1 VK_ERROR_INITIALIZATION_FAILED');
  await program.must('free a');
  await program.must('close');
  t.match(await program.ask('open 0'), { call: 'vkCreateDevice', result: '-3' });
  t.match(await program.end(), { code: 0 });
  t.strictSame(layer.leaks(), []);
});

t.test('a slow call delays no other call', async (t) => {
  const layer = new FakeLayer(t, 'delay vkCreateFence 1 600');
  const program = new FakeProgram(layer.environment);
  await program.must('open 0');
  const began = Date.now();
  t.match(await program.must('race'), { overtaken: '1' });
  t.ok(Date.now() - began >= 600, 'it was delayed');
  t.match(layer.calls('vkCreateFence'), [
    { result: 'VK_SUCCESS' },
    { values: { delayed: '600' }, result: 'VK_SUCCESS' },
  ]);
  await program.must('close');
  t.match(await program.end(), { code: 0 });
});

t.test('a lost device stays lost, the next one works', async (t) => {
  for (const call of ['vkQueueSubmit', 'vkWaitForFences']) {
    const layer = new FakeLayer(t, `fail ${call} 2 VK_ERROR_DEVICE_LOST`);
    const program = new FakeProgram(layer.environment);
    await program.must('open 0');
    await program.must('allocate a 4096 0 0');
    await program.must('fill a 0 1');
    t.match(await program.ask('fill a 0 2'), { call, result: DEVICE_LOST });
    layer.script();
    t.match(await program.ask('fill a 0 3'), { call: 'vkQueueSubmit', result: DEVICE_LOST }, 'still');
    await program.must('allocate b 4096 0 0');
    for (const name of ['a', 'b']) await program.must(`free ${name}`);
    await program.must('close');
    await program.must('open 0');
    await program.must('allocate a 4096 0 0');
    await program.must('fill a 0 4');
    t.match(await program.must('map a'), { word: '4' });
    await program.must('free a');
    await program.must('close');
    t.match(await program.end(), { code: 0 });
    t.strictSame(layer.leaks(), []);
  }
});

t.test('objects that were not destroyed are reported', async (t) => {
  const layer = new FakeLayer(t);
  const program = new FakeProgram(layer.environment);
  await program.must('open 0');
  await program.must('allocate a 4096 0 0');
  await program.must('leave');
  await program.must('close');
  t.match(await program.end(), { code: 0 });
  t.strictSame(layer.leaks(), ['leaked 1 memories, 1 buffers, 1 images, 1 fences, 1 pools, 0 semaphores']);
});

t.test('an error in a script ends the program', async (t) => {
  const mistakes = {
    'no_such_thing present': /script:3: unknown directive 'no_such_thing'/,
    'rdma sometimes': /unknown word 'sometimes'/,
    'fail vkNothing 1 VK_ERROR_UNKNOWN': /not a call that the layer takes part in/,
    'fail vkFreeMemory 1 VK_ERROR_UNKNOWN': /not a call that can fail/,
    'fail vkCreateFence 0 VK_ERROR_UNKNOWN': /counted from 1/,
    'fail vkCreateFence 1 VK_ERROR_OOPS': /not the name of a VkResult/,
    'delay vkCreateFence 1 soon': /not a number that can be here/,
    'budget 0 1': /a word is missing/,
    'rdma present present': /too many words/,
  };
  for (const [line, expected] of Object.entries(mistakes)) {
    const layer = new FakeLayer(t, line);
    const ended = await new FakeProgram(layer.environment).end();
    t.equal(ended.signal, 'SIGABRT', line);
    t.match(ended.stderr, expected);
    t.match(ended.stderr, /^VK_LAYER_VKMEMD_fake \(a fake for tests\)/);
  }
  const layer = new FakeLayer(t, 'dma_buf mmap-524');
  const program = new FakeProgram(layer.environment);
  await program.must('describe');
  layer.script('dma_buf present');
  await t.rejects(program.ask('describe'), /a seccomp filter stays/);
});
