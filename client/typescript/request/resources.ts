/**
 * Converts the resource and the memory type that callers specify to the messages of the contract.
 *
 * Numbers are Vulkan's own (VkFormat, VkImageUsageFlags). This library has no table of them, so new ones do
 * not require a new version. The daemon checks whether the device supports such an image or memory type.
 */
import { type Draft, type PropertyFlagName, VkmemError } from '@vkmemd/proto';
import { checkModifiers, checkPropertyFlags, checkUint32, checkWord, describe } from './arguments.js';

/** Memory properties: names, or VkMemoryPropertyFlags. */
export type PropertyFlags = readonly PropertyFlagName[] | number;

/** Requirements on the properties of the memory type. */
export interface PropertyOptions {
  /** The type must have all of these; otherwise the allocate fails with NO_MEMORY_TYPE. */
  readonly required?: PropertyFlags;
  /** Of the possible types, the one that has the most of these is used. */
  readonly preferred?: PropertyFlags;
  /** The type must have none of these. */
  readonly forbidden?: PropertyFlags;
}

/** A buffer that will be bound to the memory (VkBufferCreateInfo). Its size is that of the allocation. */
export interface BufferOptions {
  /** VkBufferUsageFlags; not 0. */
  readonly usage: number;
}

/** An image that will be bound to the memory (VkImageCreateInfo). */
export interface ImageOptions {
  /** Default '2D'. */
  readonly type?: '1D' | '2D' | '3D';
  /** VkFormat; not 0. */
  readonly format: number;
  /** In texels. */
  readonly width: number;
  /** In texels. Default 1. */
  readonly height?: number;
  /** In texels. Default 1. */
  readonly depth?: number;
  /** Default 1. */
  readonly mipLevels?: number;
  /** Default 1. */
  readonly arrayLayers?: number;
  /** VkSampleCountFlagBits: 1, 2, 4 and so on. Default 1. */
  readonly samples?: number;
  /**
   * Default 'OPTIMAL'. 'DRM_FORMAT_MODIFIER' (VK_EXT_image_drm_format_modifier) fails with KIND_UNSUPPORTED if
   * the driver does not have it.
   */
  readonly tiling?: 'OPTIMAL' | 'LINEAR' | 'DRM_FORMAT_MODIFIER';
  /**
   * With that tiling only: the candidates, at most 64, as drm_fourcc.h defines them; a number up to 2^53 - 1.
   * The driver chooses one that it supports for such an image: the only element of
   * `grant.image.description.drmFormatModifiers`. Default: all that the driver lists for the format.
   */
  readonly drmFormatModifiers?: readonly (bigint | number)[];
  /** VkImageUsageFlags; not 0. */
  readonly usage: number;
  /** VkImageCreateFlags. Default 0. */
  readonly flags?: number;
}

/** The resource that will be bound to the memory: a buffer, an image, or unknown. */
export interface ResourceOptions {
  /** Not together with `image`. */
  readonly buffer?: BufferOptions;
  /** Not together with `buffer`. */
  readonly image?: ImageOptions;
}

type Resource = Pick<Draft<'AllocateRequest'>, 'buffer' | 'image'>;
type Properties = Pick<
  Draft<'AllocateRequest'>,
  'requiredPropertyFlags' | 'preferredPropertyFlags' | 'forbiddenPropertyFlags'
>;

/**
 * Converts the resource.
 * @throws VkmemError INVALID_ARGUMENT, also for a buffer together with an image.
 */
export function resourceFields({ buffer, image }: ResourceOptions): Resource {
  if (buffer !== undefined && image !== undefined) {
    throw new VkmemError('INVALID_ARGUMENT', 'image: buffer and image cannot be set together.', {
      field: 'image',
    });
  }
  if (buffer !== undefined) {
    return { buffer: { usage: checkUint32('buffer.usage', asObject('buffer', buffer).usage, 1) } };
  }
  return image === undefined ? {} : { image: imageDescription(asObject('image', image)) };
}

/**
 * Converts the required, preferred and forbidden properties.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function propertyFields(properties: PropertyOptions = {}): Properties {
  const { required = 0, preferred = 0, forbidden = 0 } = asObject('properties', properties);
  return {
    requiredPropertyFlags: checkPropertyFlags('properties.required', required),
    preferredPropertyFlags: checkPropertyFlags('properties.preferred', preferred),
    forbiddenPropertyFlags: checkPropertyFlags('properties.forbidden', forbidden),
  };
}

/**
 * Converts the memory type index. It is omitted if undefined, because 0 is a valid index.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function memoryTypeField(
  index: number | undefined,
): Pick<Draft<'AllocateRequest'>, 'memoryTypeIndex'> {
  return index === undefined ? {} : { memoryTypeIndex: checkUint32('memoryTypeIndex', index) };
}

const IMAGE_TYPES = ['1D', '2D', '3D'] as const;
const TILINGS = ['OPTIMAL', 'LINEAR', 'DRM_FORMAT_MODIFIER'] as const;

function imageDescription(image: ImageOptions): Draft<'ImageDescription'> {
  const { type = '2D', tiling = 'OPTIMAL', flags = 0, drmFormatModifiers = [] } = image;
  const count = (field: 'height' | 'depth' | 'mipLevels' | 'arrayLayers' | 'samples') =>
    image[field] === undefined ? 1 : checkUint32(`image.${field}`, image[field], 1);
  return {
    type: `IMAGE_TYPE_${checkWord('image.type', type, IMAGE_TYPES)}`,
    format: checkUint32('image.format', image.format, 1),
    width: checkUint32('image.width', image.width, 1),
    height: count('height'),
    depth: count('depth'),
    mipLevels: count('mipLevels'),
    arrayLayers: count('arrayLayers'),
    samples: count('samples'),
    tiling: `IMAGE_TILING_${checkWord('image.tiling', tiling, TILINGS)}`,
    usage: checkUint32('image.usage', image.usage, 1),
    flags: checkUint32('image.flags', flags),
    drmFormatModifiers: checkModifiers('image.drmFormatModifiers', drmFormatModifiers, tiling),
  };
}

function asObject<T extends object>(field: string, value: T): T {
  if (typeof value === 'object' && value !== null) return value;
  throw new VkmemError('INVALID_ARGUMENT', `${field}: ${describe(value)} is not an object.`, { field });
}
