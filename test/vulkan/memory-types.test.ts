/** Choosing memory types, on tables as drivers have them. */
import t from 'tap';
import { MemoryFlag } from 'vkmemd/dist/vulkan/flags.js';
import { cacheTypeOf, type MemoryNeeds, planMemory } from 'vkmemd/dist/vulkan/memory-types.js';

const { DEVICE_LOCAL, HOST_VISIBLE, HOST_COHERENT, HOST_CACHED, PROTECTED } = MemoryFlag;
const VISIBLE = HOST_VISIBLE | HOST_COHERENT;

/** As an H200 lists them: system memory, the device's, system memory seen by the host, the device's seen by it. */
const H200 = [
  { flags: 0, heapIndex: 1 },
  { flags: DEVICE_LOCAL, heapIndex: 0 },
  { flags: VISIBLE, heapIndex: 1 },
  { flags: VISIBLE | HOST_CACHED, heapIndex: 1 },
  { flags: DEVICE_LOCAL | VISIBLE, heapIndex: 2 },
];
const H200_NEEDS: MemoryNeeds = { unit: 4096n, mappable: 0b01100, opaqueFd: 0b11111, together: 0b01100 };

t.test('on a GPU with memory of its own', async (t) => {
  const mappable = planMemory(['MAPPABLE'], H200, H200_NEEDS);
  t.match(
    mappable,
    { memoryTypeIndex: 3, heapIndex: 1, cacheType: 'CACHED', handleTypes: 0 },
    'cached first',
  );
  const opaque = planMemory(['OPAQUE_FD'], H200, H200_NEEDS);
  t.match(
    opaque,
    { memoryTypeIndex: 1, heapIndex: 0, cacheType: 'NONE', handleTypes: 1 },
    'unseen by the host',
  );
  const both = planMemory(['MAPPABLE', 'OPAQUE_FD', 'MAPPABLE'], H200, H200_NEEDS);
  t.match(both, { memoryTypeIndex: 3, handleTypes: 1 });
  t.same(both.kinds, ['MAPPABLE', 'OPAQUE_FD'], 'each kind once');
});

t.test('what the driver allows comes before taste', async (t) => {
  t.equal(planMemory(['MAPPABLE'], H200, { ...H200_NEEDS, mappable: 0b00100 }).cacheType, 'WC');
  t.equal(planMemory(['OPAQUE_FD'], H200, { ...H200_NEEDS, opaqueFd: 0b11101 }).memoryTypeIndex, 4);
  t.equal(planMemory(['OPAQUE_FD'], H200, { ...H200_NEEDS, opaqueFd: 0b00101 }).memoryTypeIndex, 0);
  t.throws(() => planMemory(['MAPPABLE'], H200, { ...H200_NEEDS, mappable: 0b00010 }), {
    code: 'KIND_UNSUPPORTED',
  });
  t.throws(() => planMemory(['OPAQUE_FD'], H200, { ...H200_NEEDS, opaqueFd: 0 }), {
    code: 'KIND_UNSUPPORTED',
  });
});

t.test('protected memory is never chosen, and the highest type index counts', async (t) => {
  const types = [
    { flags: DEVICE_LOCAL | PROTECTED, heapIndex: 0 },
    ...Array.from({ length: 30 }, () => ({ flags: 0, heapIndex: 1 })),
    { flags: DEVICE_LOCAL, heapIndex: 0 },
  ];
  const bits = { mappable: 0, opaqueFd: 0xffffffff, together: 0, unit: 4096n };
  t.equal(planMemory(['OPAQUE_FD'], types, bits).memoryTypeIndex, 31);
});

t.test('cache types', async (t) => {
  t.equal(cacheTypeOf(DEVICE_LOCAL), 'NONE');
  t.equal(cacheTypeOf(VISIBLE | HOST_CACHED), 'CACHED');
  t.equal(cacheTypeOf(VISIBLE), 'WC');
  t.equal(cacheTypeOf(HOST_VISIBLE), 'UNCACHED');
});
