/**
 * Buffers and images: memory for a resource that will be bound to it. The driver decides whether a device has
 * such an image, and can export it. Numbers are Vulkan's own.
 */
import { equal, ok } from 'node:assert/strict';
import type { ImageOptions, Memory } from '@vkmemd/client';
import { KIND_NAMES, type KindName, kindFromWire } from '@vkmemd/proto';
import { type Answer, allocation, type Case, SIZE } from './cases.js';
import type { Seat } from './seat.js';
import { useAll } from './use.js';

/** VkBufferUsageFlags. */
const BUFFERS: readonly (readonly [string, number])[] = [
  ['for transfers', 0x3],
  ['of vertices and indices', 0xc0],
  ['uniform and storage', 0x30],
  ['of texels', 0xc],
  ['for everything', 0x1ff],
];

/** VkImageUsageFlags: transfers and sampling. */
const PLAIN = 0x7;
const COLOR_ATTACHMENT = 0x10;
const DEPTH_ATTACHMENT = 0x20;
const RGBA8 = 37;
const DEPTH_32F = 126;
const BC1 = 131;

const IMAGES: readonly (readonly [string, ImageOptions])[] = [
  ['2D RGBA8 optimal', { format: RGBA8, width: 64, height: 64, usage: PLAIN }],
  ['2D RGBA8 linear', { format: RGBA8, width: 64, height: 64, tiling: 'LINEAR', usage: PLAIN }],
  [
    '2D RGBA8 by modifiers',
    { format: RGBA8, width: 64, height: 64, tiling: 'DRM_FORMAT_MODIFIER', usage: PLAIN },
  ],
  ['3D RGBA8', { type: '3D', format: RGBA8, width: 32, height: 32, depth: 8, usage: PLAIN }],
  [
    'an array with mips',
    { format: RGBA8, width: 64, height: 64, mipLevels: 4, arrayLayers: 3, usage: PLAIN },
  ],
  ['depth 32F', { format: DEPTH_32F, width: 64, height: 64, usage: DEPTH_ATTACHMENT }],
  ['4 samples', { format: RGBA8, width: 64, height: 64, samples: 4, usage: COLOR_ATTACHMENT }],
  ['BC1 compressed', { format: BC1, width: 64, height: 64, usage: PLAIN }],
  ['2^20 texels wide', { format: RGBA8, width: 1 << 20, usage: PLAIN }],
];

/** The possible results of a driver for a buffer or an image, where it offers the kind in general. */
const DRIVERS_WORD: readonly Answer[] = ['pass', 'KIND_UNSUPPORTED', 'NO_MEMORY_TYPE'];
const may = (kind: KindName): readonly Answer[] =>
  kind === 'MAPPABLE' ? [...DRIVERS_WORD, 'NOT_MAPPABLE'] : DRIVERS_WORD;

/** The answer has the driver's requirements for the resource, and the memory meets them. */
async function useFor(what: 'buffer' | 'image', seat: Seat, memory: Memory): Promise<void> {
  const { requirements, memoryTypeIndex, dedicated } = memory.allocation;
  ok(requirements, 'the memory requirements');
  ok(memory.size >= requirements.sizeBytes);
  equal((requirements.memoryTypeBits >>> memoryTypeIndex) & 1, 1, 'a type that the resource can be bound to');
  ok(dedicated || !requirements.requiresDedicated);
  ok(memory.allocation[what], 'the resource of the memory');
  const { image } = memory.allocation;
  const tiled = image?.tiling === 'IMAGE_TILING_DRM_FORMAT_MODIFIER';
  if (tiled) equal(image.drmFormatModifiers.length, 1, 'the modifier that the driver chose');
  for (const grant of memory.grants) {
    const planes = grant.image?.planes.length ?? 0;
    ok(planes >= (tiled || image?.tiling === 'IMAGE_TILING_LINEAR' ? 1 : 0), 'the planes of a known layout');
    ok(grant[what], 'the parameters that an importer repeats');
    const handle = kindFromWire(grant.kind) === 'MAPPABLE' ? 0 : grant.vulkanHandleType;
    equal(grant.handleTypes & handle, handle, 'the declared handle type');
  }
  await useAll(seat, memory);
}

export function resourceCases(): Case[] {
  return [
    ...KIND_NAMES.flatMap((kind) =>
      BUFFERS.map(([what, usage]) =>
        allocation(
          `a buffer ${what} as ${kind}`,
          { kinds: [kind], size: SIZE, buffer: { usage } },
          { may: may(kind), use: (seat, memory) => useFor('buffer', seat, memory) },
        ),
      ),
    ),
    ...KIND_NAMES.flatMap((kind) =>
      IMAGES.map(([what, image]) =>
        allocation(
          `image: ${what} as ${kind}`,
          { kinds: [kind], image },
          { may: may(kind), use: (seat, memory) => useFor('image', seat, memory) },
        ),
      ),
    ),
    allocation(
      'image: 2^21 texels wide',
      { kinds: ['OPAQUE_FD'], image: { format: RGBA8, width: 1 << 21, usage: PLAIN } },
      { refused: () => ({ code: 'INVALID_ARGUMENT' }) },
    ),
    allocation(
      'image: too small a size',
      { kinds: ['OPAQUE_FD'], size: 4096, image: { format: RGBA8, width: 64, height: 64, usage: PLAIN } },
      { may: ['INVALID_SIZE'] },
    ),
  ];
}
