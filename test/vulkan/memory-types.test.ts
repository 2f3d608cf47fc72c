/** The choice of memory types, on tables of real and artificial drivers. */
import t from 'tap';
import { MemoryFlag } from 'vkmemd/dist/vulkan/flags.js';
import { ANY_TYPE, cacheTypeOf, chooseType, type TypeChoice } from 'vkmemd/dist/vulkan/memory-types.js';

const { DEVICE_LOCAL, HOST_VISIBLE, HOST_COHERENT, HOST_CACHED, PROTECTED, LAZILY_ALLOCATED, RDMA_CAPABLE } =
  MemoryFlag;
const VISIBLE = HOST_VISIBLE | HOST_COHERENT;

/**
 * The table of an H200: system memory, device memory, host-visible system memory, host-visible device memory.
 */
const H200 = [
  { flags: 0, heapIndex: 1 },
  { flags: DEVICE_LOCAL, heapIndex: 0 },
  { flags: VISIBLE, heapIndex: 1 },
  { flags: VISIBLE | HOST_CACHED, heapIndex: 1 },
  { flags: DEVICE_LOCAL | VISIBLE, heapIndex: 2 },
];
/** Its transfer buffers cannot be bound to host-visible device memory. */
const TRANSFERABLE = 0b01111;

const choose = (choice: Partial<TypeChoice>): number =>
  chooseType({
    kinds: ['OPAQUE_FD'],
    types: H200,
    allowed: ANY_TYPE,
    allowedBy: 'the driver does not allow it',
    transferable: TRANSFERABLE,
    ...choice,
  });

t.test('the preferred types on a GPU with memory of its own', async (t) => {
  t.equal(choose({ kinds: ['MAPPABLE'], allowed: 0b01100 }), 3, 'host-cached first');
  t.equal(choose({}), 1, 'not host-visible');
  t.equal(choose({ kinds: ['MAPPABLE', 'OPAQUE_FD'], allowed: 0b01100 }), 3);
});

t.test('only types that the driver allows are chosen', async (t) => {
  t.equal(choose({ kinds: ['MAPPABLE'], allowed: 0b00100 }), 2);
  t.equal(choose({ allowed: 0b11101, transferable: ANY_TYPE }), 4);
  t.equal(choose({ allowed: 0b11101 }), 0, 'a type that transfers can use has precedence');
  t.throws(() => choose({ kinds: ['MAPPABLE'], allowed: 0b00010 }), { code: 'NOT_MAPPABLE' });
  t.throws(() => choose({ allowed: 0 }), {
    code: 'NO_MEMORY_TYPE',
    reason: /1: the driver does not allow it/,
  });
});

t.test('a request can require, prefer and forbid flags, or name the type', async (t) => {
  t.equal(choose({ required: HOST_VISIBLE }), 2);
  t.equal(choose({ required: DEVICE_LOCAL | HOST_VISIBLE }), 4, 'device-local types are not excluded');
  t.equal(choose({ preferred: HOST_CACHED }), 3);
  t.equal(choose({ preferred: DEVICE_LOCAL | VISIBLE }), 4, 'the type with most of the preferred flags');
  t.equal(choose({ preferred: PROTECTED }), 1, 'a preference that no type meets has no effect');
  t.equal(choose({ forbidden: DEVICE_LOCAL }), 0);
  t.equal(choose({ memoryTypeIndex: 4 }), 4, 'exactly this type');
  t.equal(choose({ memoryTypeIndex: 0 }), 0);
  t.throws(() => choose({ memoryTypeIndex: 5 }), {
    code: 'INVALID_ARGUMENT',
    metadata: { field: 'memory_type_index' },
  });
  t.throws(() => choose({ memoryTypeIndex: 1, forbidden: DEVICE_LOCAL }), {
    code: 'NO_MEMORY_TYPE',
    reason: 'No memory type is suitable for OPAQUE_FD: 1: it has flags 0x1.',
  });
  t.throws(() => choose({ kinds: ['MAPPABLE'], memoryTypeIndex: 1 }), {
    code: 'NOT_MAPPABLE',
    reason: /1: it is not host-visible and coherent/,
  });
  t.throws(() => choose({ required: PROTECTED }), { code: 'NO_MEMORY_TYPE' });
});

t.test('RDMA-capable types are chosen only on request', async (t) => {
  const types = [
    { flags: DEVICE_LOCAL | RDMA_CAPABLE, heapIndex: 0 },
    { flags: VISIBLE, heapIndex: 1 },
  ];
  const all = { types, transferable: ANY_TYPE };
  t.equal(choose(all), 1);
  t.equal(choose({ ...all, kinds: ['RDMA_ADDRESS'] }), 0);
  t.equal(choose({ ...all, required: RDMA_CAPABLE }), 0);
  t.equal(choose({ ...all, memoryTypeIndex: 0 }), 0);
  t.throws(() => choose({ ...all, kinds: ['RDMA_ADDRESS'], forbidden: DEVICE_LOCAL }), {
    code: 'NO_MEMORY_TYPE',
  });
});

t.test('protected and lazily allocated memory is never chosen; type 31 can be', async (t) => {
  const types = [
    { flags: DEVICE_LOCAL | PROTECTED, heapIndex: 0 },
    { flags: DEVICE_LOCAL | LAZILY_ALLOCATED, heapIndex: 0 },
    ...Array.from({ length: 29 }, () => ({ flags: 0, heapIndex: 1 })),
    { flags: DEVICE_LOCAL, heapIndex: 0 },
  ];
  t.equal(choose({ types, transferable: ANY_TYPE }), 31);
  t.throws(() => choose({ types, memoryTypeIndex: 0 }), { code: 'NO_MEMORY_TYPE', reason: /protected/ });
});

t.test('the cache type follows from the property flags', async (t) => {
  t.equal(cacheTypeOf(DEVICE_LOCAL), 'NONE');
  t.equal(cacheTypeOf(VISIBLE | HOST_CACHED), 'CACHED');
  t.equal(cacheTypeOf(VISIBLE), 'WC');
  t.equal(cacheTypeOf(HOST_VISIBLE), 'UNCACHED');
});
