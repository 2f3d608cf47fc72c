/**
 * What a client will bind to its memory, where it describes it: a buffer or an image.
 *
 * Without a description, as in virtualization, memory is allocated so that any resource can be bound to it.
 * Buffers are as large as their memory, so only their usage is described.
 */
import type { NativeImage, NativeResource } from './native.js';

/** A buffer by its VkBufferUsageFlags, or an image by its VkImageCreateInfo. */
export type Resource = { readonly what: 'buffer'; readonly usage: number } | NativeImage;

/** VK_IMAGE_LAYOUT_GENERAL: the layout that an image must be in whenever another API accesses it. */
export const LAYOUT_GENERAL = 1;
/** VK_IMAGE_TILING_LINEAR. */
export const TILING_LINEAR = 1;

/** VkBufferUsageFlagBits that fills and copies need. */
const TRANSFER_BUFFER = 0x1 | 0x2;
/** VkImageUsageFlagBits that clearing needs. */
const TRANSFER_DST_IMAGE = 0x2;

/** The buffer of a transfer, which the daemon itself binds to memory. */
export const TRANSFER: Resource = { what: 'buffer', usage: TRANSFER_BUFFER };

/**
 * The resource as it is created. Memory that is dedicated to it can be zeroed and copied only through it, so
 * it gets the usages that these need. Importers repeat the resource as it was created.
 */
export function asMade(resource: Resource): Resource {
  const extra = resource.what === 'buffer' ? TRANSFER_BUFFER : TRANSFER_DST_IMAGE;
  return { ...resource, usage: resource.usage | extra };
}

/** The first VkFormat that is compressed (VK_FORMAT_BC1_RGB_UNORM_BLOCK). */
export const FIRST_COMPRESSED = 131;

/** Whether memory that is dedicated to it can be zeroed: Vulkan cannot clear images of compressed formats. */
export function isClearable(resource: Resource): boolean {
  return resource.what === 'buffer' || resource.format < FIRST_COMPRESSED;
}

/** The resource with a size of its own, in bytes; an image has none. */
export function sized(resource: Resource, size: bigint): NativeResource {
  return resource.what === 'buffer' ? { ...resource, size } : resource;
}
