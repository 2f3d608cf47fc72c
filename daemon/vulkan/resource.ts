/**
 * What a client will bind to its memory, where it says so: a buffer, or an image.
 *
 * Without it nothing is known, as in virtualization: the memory is then made to serve whatever can be bound to it.
 * Buffers are as large as their memory; so only their usage is described.
 */
import type { NativeImage, NativeResource } from './native.js';

/** A buffer by its VkBufferUsageFlags, or an image by its VkImageCreateInfo. */
export type Resource = { readonly what: 'buffer'; readonly usage: number } | NativeImage;

/** Every image that another API touches must be in this layout then (VK_IMAGE_LAYOUT_GENERAL). */
export const LAYOUT_GENERAL = 1;
/** VK_IMAGE_TILING_LINEAR. */
export const TILING_LINEAR = 1;

/** VkBufferUsageFlagBits that fills and copies need. */
const TRANSFER_BUFFER = 0x1 | 0x2;
/** VkImageUsageFlagBits that clearing needs. */
const TRANSFER_DST_IMAGE = 0x2;

/** The buffer of a transfer: what the daemon itself binds to memory. */
export const TRANSFER: Resource = { what: 'buffer', usage: TRANSFER_BUFFER };

/**
 * The resource as it is made: memory that is dedicated to it can be zeroed and copied only through it, so it gets the
 * usages that this needs. Importers repeat what was made.
 */
export function asMade(resource: Resource): Resource {
  const extra = resource.what === 'buffer' ? TRANSFER_BUFFER : TRANSFER_DST_IMAGE;
  return { ...resource, usage: resource.usage | extra };
}

/** VkFormat from which on images are compressed (VK_FORMAT_BC1_RGB_UNORM_BLOCK). */
export const FIRST_COMPRESSED = 131;

/** Whether memory that is dedicated to it can be zeroed: Vulkan clears no image of a compressed format. */
export function isClearable(resource: Resource): boolean {
  return resource.what === 'buffer' || resource.format < FIRST_COMPRESSED;
}

/** The resource with a size of its own, in bytes; an image has none. */
export function sized(resource: Resource, size: bigint): NativeResource {
  return resource.what === 'buffer' ? { ...resource, size } : resource;
}
