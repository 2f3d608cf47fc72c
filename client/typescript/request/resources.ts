/**
 * What memory is for and of which type it shall be, as callers write it, turned into the contract's messages.
 *
 * Numbers are Vulkan's own (VkFormat, VkImageUsageFlags): this library has no table of them, and a new one
 * needs no new version of it. Whether the device has such an image or such a type is the daemon's to say.
 */
import { type Draft, type PropertyFlagName, VkmemError } from '@vkmemd/proto';
import { checkPropertyFlags, checkUint32, checkWord } from './arguments.js';

/** Memory properties by their names, or as VkMemoryPropertyFlags. */
export type PropertyFlags = readonly PropertyFlagName[] | number;

/** The properties of the memory type. */
export interface PropertyOptions {
  /** It has all of them, or there is none (NO_MEMORY_TYPE). */
  readonly required?: PropertyFlags;
  /** Of those that will do, the one that has the most of them. */
  readonly preferred?: PropertyFlags;
  /** It has none of them. */
  readonly forbidden?: PropertyFlags;
}

/** A buffer that will be bound to the memory. It is as large as the allocation. */
export interface BufferOptions {
  /** VkBufferUsageFlags; not 0. */
  readonly usage: number;
}

/**
 * An image that will be bound to the memory (VkImageCreateInfo). What is left out is 1, but for the defaults
 * named.
 */
export interface ImageOptions {
  /** Default '2D'. */
  readonly type?: '1D' | '2D' | '3D';
  /** VkFormat; not 0. */
  readonly format: number;
  /** Texels. */
  readonly width: number;
  readonly height?: number;
  readonly depth?: number;
  readonly mipLevels?: number;
  readonly arrayLayers?: number;
  /** VkSampleCountFlagBits: 1, 2, 4 and so on. */
  readonly samples?: number;
  /** Default 'OPTIMAL'. */
  readonly tiling?: 'OPTIMAL' | 'LINEAR';
  /** VkImageUsageFlags; not 0. */
  readonly usage: number;
  /** VkImageCreateFlags. Default 0. */
  readonly flags?: number;
}

/** What is bound to the memory, or dedicated to it: one of the two, or nothing that is known. */
export interface ResourceOptions {
  readonly buffer?: BufferOptions;
  readonly image?: ImageOptions;
}

type Resource = Pick<Draft<'AllocateRequest'>, 'buffer' | 'image'>;
type Properties = Pick<
  Draft<'AllocateRequest'>,
  'requiredPropertyFlags' | 'preferredPropertyFlags' | 'forbiddenPropertyFlags'
>;

/** @throws VkmemError INVALID_ARGUMENT, also for both at once. */
export function resourceFields({ buffer, image }: ResourceOptions): Resource {
  if (buffer !== undefined && image !== undefined) {
    throw new VkmemError('INVALID_ARGUMENT', 'Memory is for a buffer or for an image, not for both.', {
      field: 'image',
    });
  }
  if (buffer !== undefined) {
    return { buffer: { usage: checkUint32('buffer.usage', asObject('buffer', buffer).usage, 1) } };
  }
  return image === undefined ? {} : { image: imageDescription(asObject('image', image)) };
}

/** @throws VkmemError INVALID_ARGUMENT. */
export function propertyFields(properties: PropertyOptions = {}): Properties {
  const { required = 0, preferred = 0, forbidden = 0 } = asObject('properties', properties);
  return {
    requiredPropertyFlags: checkPropertyFlags('properties.required', required),
    preferredPropertyFlags: checkPropertyFlags('properties.preferred', preferred),
    forbiddenPropertyFlags: checkPropertyFlags('properties.forbidden', forbidden),
  };
}

/** Left out, the daemon chooses: 0 would be a type. @throws VkmemError INVALID_ARGUMENT. */
export function memoryTypeField(
  index: number | undefined,
): Pick<Draft<'AllocateRequest'>, 'memoryTypeIndex'> {
  return index === undefined ? {} : { memoryTypeIndex: checkUint32('memoryTypeIndex', index) };
}

const IMAGE_TYPES = ['1D', '2D', '3D'] as const;
const TILINGS = ['OPTIMAL', 'LINEAR'] as const;

function imageDescription(image: ImageOptions): Draft<'ImageDescription'> {
  const { type = '2D', tiling = 'OPTIMAL', flags = 0 } = image;
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
  };
}

function asObject<T extends object>(field: string, value: T): T {
  if (typeof value === 'object' && value !== null) return value;
  throw new VkmemError('INVALID_ARGUMENT', `${field}: ${String(value)} is no object.`, { field });
}
