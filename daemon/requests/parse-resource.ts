/**
 * Parses the buffer or the image of a request, before any driver is queried about it.
 *
 * A driver's behaviour for values that Vulkan does not define is undefined. So only what core Vulkan defines
 * and this daemon enables is accepted: no sparse, protected, disjoint or lazily allocated resources, and no
 * format of an extension. Whether the device supports such an image is left to the driver. Sources:
 * VkBufferCreateInfo, VkImageCreateInfo and their valid usage.
 */
import { type Decoded, VkmemError } from '@vkmemd/proto';
import {
  FIRST_COMPRESSED,
  type Resource,
  TILING_DRM_FORMAT_MODIFIER,
  TILING_LINEAR,
  TILING_OPTIMAL,
} from '../vulkan/device.js';

/** VkBufferUsageFlagBits from TRANSFER_SRC to INDIRECT_BUFFER. */
const BUFFER_USAGE = 0x1ff;
/** VkImageUsageFlagBits: transfers, SAMPLED, STORAGE, attachments. */
const IMAGE_USAGE = 0xbf;
/**
 * VkImageCreateFlagBits: MUTABLE_FORMAT, CUBE_COMPATIBLE, 2D_ARRAY_, BLOCK_TEXEL_VIEW_, EXTENDED_USAGE,
 * ALIAS.
 */
const IMAGE_FLAGS = 0x8 | 0x10 | 0x20 | 0x80 | 0x100 | 0x400;
const MUTABLE_FORMAT = 0x8;
const CUBE_COMPATIBLE = 0x10;
const ARRAY_COMPATIBLE = 0x20;
const BLOCK_TEXEL_VIEW_COMPATIBLE = 0x80;
const EXTENDED_USAGE = 0x100;
/** Of VkImageUsageFlagBits. */
const STORAGE = 0x8;
/** The last VkFormat of Vulkan 1.0. */
const LAST_FORMAT = 184;
const MAX_TEXELS = 1 << 20;
/** The maximum number of DRM format modifiers in one description. */
const MAX_MODIFIERS = 64;

const TYPES = { IMAGE_TYPE_UNSPECIFIED: 1, IMAGE_TYPE_1D: 0, IMAGE_TYPE_2D: 1, IMAGE_TYPE_3D: 2 } as const;
const TILINGS = {
  IMAGE_TILING_UNSPECIFIED: TILING_OPTIMAL,
  IMAGE_TILING_OPTIMAL: TILING_OPTIMAL,
  IMAGE_TILING_LINEAR: TILING_LINEAR,
  IMAGE_TILING_DRM_FORMAT_MODIFIER: TILING_DRM_FORMAT_MODIFIER,
} as const;

function invalid(field: string, reason: string): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', `${field}: ${reason}`, { field });
}

function requireBits(field: string, bits: number, known: number): number {
  const unknown = (bits & ~known) >>> 0;
  if (unknown !== 0)
    throw invalid(field, `bits 0x${unknown.toString(16)} are not in the valid set 0x${known.toString(16)}.`);
  return bits;
}

/** @throws VkmemError INVALID_ARGUMENT that names the field. */
export function parseResource(
  buffer: Decoded<'BufferDescription'> | null | undefined,
  image: Decoded<'ImageDescription'> | null | undefined,
): Resource | undefined {
  if (image && buffer) throw invalid('resource', 'is both a buffer and an image.');
  if (image) return parseImage(image);
  if (!buffer) return undefined;
  if (buffer.usage === 0) throw invalid('buffer.usage', 'must not be 0.');
  return { what: 'buffer', usage: requireBits('buffer.usage', buffer.usage, BUFFER_USAGE) };
}

function parseImage(image: Decoded<'ImageDescription'>): Resource {
  const type = TYPES[image.type as keyof typeof TYPES];
  const tiling = TILINGS[image.tiling as keyof typeof TILINGS];
  if (type === undefined) throw invalid('image.type', `${image.type} is not an image type.`);
  if (tiling === undefined) throw invalid('image.tiling', `${image.tiling} is not an image tiling.`);
  if (image.format < 1 || image.format > LAST_FORMAT) {
    throw invalid('image.format', `${image.format} is not a VkFormat from 1 to ${LAST_FORMAT}.`);
  }
  if (image.usage === 0) throw invalid('image.usage', 'must not be 0.');
  const parsed = {
    what: 'image' as const,
    flags: requireBits('image.flags', image.flags, IMAGE_FLAGS),
    type,
    format: image.format,
    width: image.width,
    height: image.height || 1,
    depth: image.depth || 1,
    mipLevels: image.mipLevels || 1,
    arrayLayers: image.arrayLayers || 1,
    samples: image.samples || 1,
    tiling,
    usage: requireBits('image.usage', image.usage, IMAGE_USAGE),
    ...parseModifiers(image.drmFormatModifiers, tiling),
  };
  requireExtent(parsed);
  return parsed;
}

function parseModifiers(
  modifiers: readonly bigint[],
  tiling: number,
): { readonly modifiers?: readonly bigint[] } {
  const field = 'image.drm_format_modifiers';
  if (modifiers.length > MAX_MODIFIERS) {
    throw invalid(field, `has ${modifiers.length} elements; the maximum is ${MAX_MODIFIERS}.`);
  }
  if (new Set(modifiers).size < modifiers.length) throw invalid(field, 'has an element twice.');
  if (tiling === TILINGS.IMAGE_TILING_DRM_FORMAT_MODIFIER) return { modifiers };
  if (modifiers.length > 0) throw invalid(field, 'needs the tiling IMAGE_TILING_DRM_FORMAT_MODIFIER.');
  return {};
}

/**
 * Refuses an image of DRM format modifiers that a client imports, because the request does not have the layout
 * of its planes.
 * @throws VkmemError INVALID_ARGUMENT that names the field.
 */
export function requireImportable(resource: Resource | undefined): void {
  if (resource?.what !== 'image' || resource.tiling !== TILINGS.IMAGE_TILING_DRM_FORMAT_MODIFIER) return;
  throw invalid('image.tiling', 'an import has no planes: IMAGE_TILING_DRM_FORMAT_MODIFIER is not possible.');
}

type Image = Extract<Resource, { what: 'image' }>;

function requireExtent({
  type,
  width,
  height,
  depth,
  mipLevels,
  arrayLayers,
  samples,
  flags,
  tiling,
  format,
  usage,
}: Image): void {
  const largest = Math.max(width, height, depth);
  if (width < 1 || largest > MAX_TEXELS || arrayLayers > MAX_TEXELS) {
    throw invalid(
      'image.width',
      `${width} x ${height} x ${depth}, ${arrayLayers} layers: each must be 1 to ${MAX_TEXELS}.`,
    );
  }
  if (type === TYPES.IMAGE_TYPE_1D && height > 1) {
    throw invalid('image.height', `${height} is not 1, as a 1D image requires.`);
  }
  if (type !== TYPES.IMAGE_TYPE_3D && depth > 1)
    throw invalid('image.depth', `${depth} is not 1, as an image that is not 3D requires.`);
  if (type === TYPES.IMAGE_TYPE_3D && arrayLayers > 1)
    throw invalid('image.array_layers', `${arrayLayers} is not 1, as a 3D image requires.`);
  const maxLevels = Math.floor(Math.log2(largest)) + 1;
  if (mipLevels > maxLevels) {
    throw invalid('image.mip_levels', `${mipLevels}; the maximum for ${largest} texels is ${maxLevels}.`);
  }
  if (samples > 64 || (samples & (samples - 1)) !== 0)
    throw invalid('image.samples', `${samples} is not a power of two up to 64.`);
  if ((flags & ARRAY_COMPATIBLE) !== 0 && type !== TYPES.IMAGE_TYPE_3D) {
    throw invalid('image.flags', '2D_ARRAY_COMPATIBLE needs a 3D image.');
  }
  if ((flags & EXTENDED_USAGE) !== 0 && (flags & MUTABLE_FORMAT) === 0) {
    throw invalid('image.flags', 'EXTENDED_USAGE needs MUTABLE_FORMAT.');
  }
  if (tiling === TILINGS.IMAGE_TILING_DRM_FORMAT_MODIFIER && (flags & MUTABLE_FORMAT) !== 0) {
    throw invalid('image.flags', 'MUTABLE_FORMAT is not possible with IMAGE_TILING_DRM_FORMAT_MODIFIER.');
  }
  const cube = (flags & CUBE_COMPATIBLE) !== 0;
  if (cube && (type !== TYPES.IMAGE_TYPE_2D || width !== height || arrayLayers < 6)) {
    throw invalid('image.flags', 'CUBE_COMPATIBLE needs a square 2D image with at least 6 layers.');
  }
  if (samples > 1 && (usage & STORAGE) !== 0) {
    throw invalid('image.samples', `${samples} with STORAGE needs a feature that is not enabled.`);
  }
  const texelView = (flags & BLOCK_TEXEL_VIEW_COMPATIBLE) !== 0;
  if (texelView && (format < FIRST_COMPRESSED || (flags & MUTABLE_FORMAT) === 0)) {
    throw invalid('image.flags', 'BLOCK_TEXEL_VIEW_COMPATIBLE needs a compressed format and MUTABLE_FORMAT.');
  }
  const plain =
    type === TYPES.IMAGE_TYPE_2D && mipLevels === 1 && tiling === TILINGS.IMAGE_TILING_OPTIMAL && !cube;
  if (samples > 1 && !plain) {
    throw invalid(
      'image.samples',
      `${samples} needs a 2D image with optimal tiling and one level that is not a cube.`,
    );
  }
}
