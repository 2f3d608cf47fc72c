/**
 * The choice of memory: the request that an allocation sends to the daemon (a fake that only records), and
 * grants without an fd. The client does not send requests that it can recognise as invalid.
 */
import type { AllocateOptions, ErrorCode } from '@vkmemd/client';
import { createMemfd, type Decoded } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { ALLOCATION, GRANT, type Reply, startFakeDaemon } from './fake-daemon.js';
import { connected } from './support.js';

/** Passes a value of any type, as JavaScript code can. */
const any = (value: unknown) => value as never;

/** A client whose daemon grants nothing and records the requests. */
async function start(t: Test) {
  const asked: Decoded<'AllocateRequest'>[] = [];
  const { runtimeDir } = startFakeDaemon(t, ({ sequence, allocate }) => {
    if (allocate) asked.push(allocate);
    return [{ message: { sequence, allocate: { allocation: ALLOCATION, grants: [] } } }];
  });
  return { client: await connected(t, runtimeDir), asked };
}

t.test('allocate() sends the options as a request', async (t) => {
  const { client, asked } = await start(t);
  const ask = async (options: AllocateOptions) => {
    await client.allocate({ ...options, grant: [] });
    return asked.at(-1);
  };
  const plain = await ask({ size: 4096 });
  t.match(plain, { requiredPropertyFlags: 0, preferredPropertyFlags: 0, forbiddenPropertyFlags: 0 });
  t.same([plain?.memoryTypeIndex, plain?.buffer, plain?.image], [undefined, undefined, undefined]);
  t.match(
    await ask({
      size: 1,
      properties: {
        required: ['HOST_VISIBLE', 'HOST_COHERENT'],
        preferred: ['RDMA_CAPABLE_NV', 'DEVICE_LOCAL', 'DEVICE_LOCAL'],
        forbidden: 0x8000_0000,
      },
    }),
    { requiredPropertyFlags: 6, preferredPropertyFlags: 0x101, forbiddenPropertyFlags: 0x8000_0000 },
  );
  t.equal((await ask({ size: 1, memoryTypeIndex: 0 }))?.memoryTypeIndex, 0, 'type 0 is sent');
  t.match(await ask({ size: 5n, buffer: { usage: 3 } }), { sizeBytes: 5n, buffer: { usage: 3 } });
  const image = { format: 37, width: 1920, height: 1080, usage: 0x13 };
  t.match(
    await ask({ image }),
    {
      sizeBytes: 0n,
      image: {
        ...image,
        type: 'IMAGE_TYPE_2D',
        tiling: 'IMAGE_TILING_OPTIMAL',
        depth: 1,
        mipLevels: 1,
        arrayLayers: 1,
        samples: 1,
        flags: 0,
        drmFormatModifiers: [],
      },
    },
    'size 0 means the size that the image needs',
  );
  t.match(await ask({ size: 4096, image: { ...image, type: '3D', tiling: 'LINEAR', depth: 9, flags: 16 } }), {
    sizeBytes: 4096n,
    image: { type: 'IMAGE_TYPE_3D', tiling: 'IMAGE_TILING_LINEAR', depth: 9, flags: 16 },
  });
  const drmFormatModifiers = [0, 0x0100_0000_0000_0002n, 2n ** 64n - 1n];
  t.match(await ask({ image: { ...image, tiling: 'DRM_FORMAT_MODIFIER', drmFormatModifiers } }), {
    image: {
      tiling: 'IMAGE_TILING_DRM_FORMAT_MODIFIER',
      drmFormatModifiers: drmFormatModifiers.map(BigInt),
    },
  });
});

const IMAGE = { format: 37, width: 8, usage: 1 };
const MISTAKES: [string, AllocateOptions, ErrorCode, string?][] = [
  ['neither size nor image', {}, 'INVALID_SIZE'],
  ['size 0 with an image', { size: 0, image: IMAGE }, 'INVALID_SIZE'],
  ['buffer and image', { size: 1, buffer: { usage: 1 }, image: IMAGE }, 'INVALID_ARGUMENT', 'image'],
  ['a buffer without usage', { size: 1, buffer: { usage: 0 } }, 'INVALID_ARGUMENT', 'buffer.usage'],
  ['a buffer that is a number', { size: 1, buffer: any(3) }, 'INVALID_ARGUMENT', 'buffer'],
  [
    'an image without a format',
    { image: any({ ...IMAGE, format: undefined }) },
    'INVALID_ARGUMENT',
    'image.format',
  ],
  ['no width', { image: { ...IMAGE, width: 0 } }, 'INVALID_ARGUMENT', 'image.width'],
  ['a fractional width', { image: { ...IMAGE, height: 1.5 } }, 'INVALID_ARGUMENT', 'image.height'],
  ['no layers', { image: { ...IMAGE, arrayLayers: 0 } }, 'INVALID_ARGUMENT', 'image.arrayLayers'],
  ['flags beyond 32 bits', { image: { ...IMAGE, flags: 2 ** 32 } }, 'INVALID_ARGUMENT', 'image.flags'],
  ['an invalid image type', { image: { ...IMAGE, type: any('4D') } }, 'INVALID_ARGUMENT', 'image.type'],
  ['an invalid tiling', { image: { ...IMAGE, tiling: any('SPIRAL') } }, 'INVALID_ARGUMENT', 'image.tiling'],
  ...(
    [
      ['modifiers with another tiling', { tiling: 'LINEAR', drmFormatModifiers: [0] }],
      ['a modifier that is no array', { drmFormatModifiers: any(0) }],
      ['65 modifiers', { drmFormatModifiers: Array.from({ length: 65 }, (_, n) => n) }],
      ['a modifier twice', { drmFormatModifiers: [7, 7n] }],
      ['a negative modifier', { drmFormatModifiers: [-1] }],
      ['a modifier of 65 bits', { drmFormatModifiers: [2n ** 64n] }],
      ['a modifier that is not exact', { drmFormatModifiers: [2 ** 60] }],
    ] as const
  ).map(([what, change]): [string, AllocateOptions, ErrorCode, string] => [
    what,
    { image: { ...IMAGE, tiling: 'DRM_FORMAT_MODIFIER', ...change } },
    'INVALID_ARGUMENT',
    'image.drmFormatModifiers',
  ]),
  ['a negative memory type', { size: 1, memoryTypeIndex: -1 }, 'INVALID_ARGUMENT', 'memoryTypeIndex'],
  ['a bigint as memory type', { size: 1, memoryTypeIndex: any(1n) }, 'INVALID_ARGUMENT', 'memoryTypeIndex'],
  [
    'an unknown property',
    { size: 1, properties: { required: any(['FAST']) } },
    'INVALID_ARGUMENT',
    'properties.required',
  ],
  [
    'a property that is not in a list',
    { size: 1, properties: { forbidden: any('PROTECTED') } },
    'INVALID_ARGUMENT',
    'properties.forbidden',
  ],
  ['properties that are not a list', { size: 1, properties: any(6) }, 'INVALID_ARGUMENT', 'properties'],
];

t.test('invalid options are rejected before a request is sent', async (t) => {
  const { client, asked } = await start(t);
  for (const [what, options, code, field] of MISTAKES) {
    const metadata = field === undefined ? {} : { field };
    await t.rejects(client.allocate(options), { name: 'VkmemError', code, metadata }, what);
  }
  t.same(asked, [], 'nothing was sent');
});

t.test('an RDMA address is a number, without an fd', async (t) => {
  const address = 0xfedc_ba98_7654_3210n;
  const rdma = {
    ...GRANT,
    kind: 'KIND_RDMA_ADDRESS',
    fdCount: 0,
    mapSizeBytes: 0n,
    remoteAddress: address,
  } as const;
  const file = await createMemfd('vkmem-beside', 4096n);
  t.teardown(() => file.close());
  const { runtimeDir } = startFakeDaemon(t, ({ sequence, body, allocate }): Reply[] => {
    if (body === 'release') return [{ message: { sequence, release: {} } }];
    const alone = allocate?.kinds.length === 1;
    const opaque = { ...GRANT, id: 2n, kind: 'KIND_OPAQUE_FD', mapSizeBytes: 0n } as const;
    const granted = { allocation: ALLOCATION, grants: alone ? [rdma] : [rdma, opaque] };
    const fds = alone ? [] : [file.dup()];
    return [{ message: { sequence, fdCount: fds.length, allocate: granted }, fds }];
  });
  const client = await connected(t, runtimeDir);
  const memory = await client.allocate({ size: 4096, kinds: ['RDMA_ADDRESS'] });
  t.equal(memory.remoteAddress, address, 'all of its 64 bits');
  t.throws(() => memory.fd('RDMA_ADDRESS'), { code: 'KIND_NOT_REQUESTED' }, 'it has no fd');
  t.throws(() => memory.map(), { code: 'NOT_MAPPABLE' });
  await memory.release();
  t.throws(() => memory.remoteAddress, { code: 'NOT_FOUND' });

  const both = await client.allocate({ size: 4096, kinds: ['RDMA_ADDRESS', 'OPAQUE_FD'] });
  t.equal(both.remoteAddress, address);
  both.fd('OPAQUE_FD').close();
  await both.release();
});

t.test('without an RDMA grant there is no RDMA address', async (t) => {
  const { client } = await start(t);
  const memory = await client.allocate({ size: 4096 });
  t.throws(() => memory.remoteAddress, { code: 'KIND_NOT_REQUESTED', metadata: { kind: 'RDMA_ADDRESS' } });
});
