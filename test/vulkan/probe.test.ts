/** The results of the probes on different drivers, and the plans that plan() derives. */
import type { KindName } from '@vkmemd/proto';
import t from 'tap';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { needsLavapipe, needsSwiftshader, openFds, runScript, swiftshader } from './support.js';

t.test('the kinds of lavapipe', { skip: needsLavapipe }, async (t) => {
  const device = await Device.open();
  t.teardown(() => device.close());

  t.match(device.kinds.get('MAPPABLE'), {
    rung: 'VERIFIED',
    via: 'memfd+VK_EXT_external_memory_host',
    reason: /^65536 bytes that a device fill wrote were read through a mapping/,
    missing: '',
  });
  t.match(device.kinds.get('OPAQUE_FD'), {
    rung: 'VERIFIED',
    via: 'VK_KHR_external_memory_fd',
    reason: /read through an import of the fd/,
  });
  t.match(device.kinds.get('DMA_BUF'), {
    rung: 'UNSUPPORTED',
    missing: 'extension',
    reason: /does not list VK_EXT_external_memory_dma_buf/,
  });
  t.match(device.kinds.get('RDMA_ADDRESS'), {
    rung: 'UNSUPPORTED',
    missing: 'extension',
    reason: /does not list VK_NV_external_memory_rdma/,
  });
  t.match(device.together, { rung: 'UNSUPPORTED', missing: 'export' });
  t.ok(device.probeMilliseconds < 1000, `probing took ${device.probeMilliseconds.toFixed(1)} ms`);
  t.equal(device.liveMemories, 0, 'the memory of the probes is not counted');

  const plan = (...kinds: KindName[]) => device.plan({ kinds, size: 4096n });
  t.match(await plan('MAPPABLE'), { memoryTypeIndex: 0, cacheType: 'CACHED', handleTypes: 0, memfd: true });
  t.match(await plan('OPAQUE_FD'), { memoryTypeIndex: 0, handleTypes: 1, memfd: false });
  await t.rejects(plan(), { code: 'KIND_NOT_REQUESTED' });
  await t.rejects(plan('MAPPABLE', 'RDMA_ADDRESS'), { code: 'KINDS_EXCLUSIVE' });
  await t.rejects(plan('OPAQUE_FD', 'DMA_BUF'), { code: 'KIND_UNSUPPORTED', reason: /^DMA_BUF: / });
  await t.rejects(plan('OPAQUE_FD', 'MAPPABLE'), {
    code: 'KIND_UNSUPPORTED',
    reason: /HOST_ALLOCATION is not compatible with OPAQUE_FD/,
  });
  t.equal(await device.memoryBudget(), undefined, 'no VK_EXT_memory_budget');
});

t.test('opening and closing a device leaves no fd open', { skip: needsLavapipe }, async (t) => {
  await (await Device.open()).close();
  const before = openFds();
  for (let i = 0; i < 3; i++) await (await Device.open('llvmpipe')).close();
  t.equal(openFds(), before);
});

t.test('on SwiftShader MAPPABLE is UNSUPPORTED with the reason', { skip: needsSwiftshader }, async (t) => {
  const child = await runScript('./report.js', swiftshader ?? '');
  t.equal(child.code, 0, child.stderr);
  const report = JSON.parse(child.stdout);
  t.match(report.name, /SwiftShader/);
  t.equal(report.kinds.MAPPABLE.rung, 'UNSUPPORTED');
  t.match(report.kinds.MAPPABLE.reason, /lists VK_EXT_external_memory_host, but not for buffers/);
  t.equal(report.kinds.OPAQUE_FD.rung, 'VERIFIED', 'by vkMapMemory, because there is no memfd to read');
  t.equal(report.opaqueBytes, 65_536);
  t.equal(report.together.rung, 'UNSUPPORTED');
});
