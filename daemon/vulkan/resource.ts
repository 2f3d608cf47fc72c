/**
 * A resource that a client will bind to its memory: a buffer or an image, if the request describes one.
 *
 * Without a description, as for virtual machines, memory is allocated so that any resource can be bound to
 * it. A buffer has the size of its memory, so only its usage is described.
 */
import type { NativeImage, NativeResource } from './native.js';

/**
 * A buffer by its VkBufferUsageFlags, or an image by its VkImageCreateInfo. An image of the tiling
 * DRM_FORMAT_MODIFIER without `modifiers` may have any of them.
 */
export type Resource = { readonly what: 'buffer'; readonly usage: number } | NativeImage;

/** VK_IMAGE_LAYOUT_GENERAL: the layout that an image must have while another API accesses it. */
export const LAYOUT_GENERAL = 1;
/** VK_IMAGE_TILING_OPTIMAL. */
export const TILING_OPTIMAL = 0;
/** VK_IMAGE_TILING_LINEAR. */
export const TILING_LINEAR = 1;
/** VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT. */
export const TILING_DRM_FORMAT_MODIFIER = 1_000_158_000;

/** The VkBufferUsageFlagBits that fills and copies require. */
const TRANSFER_BUFFER = 0x1 | 0x2;
/** The VkImageUsageFlagBits that clearing requires. */
const TRANSFER_DST_IMAGE = 0x2;

/** A transfer buffer, which the daemon itself binds to memory. */
export const TRANSFER: Resource = { what: 'buffer', usage: TRANSFER_BUFFER };

/**
 * The resource as it is created. Memory that is dedicated to it can be zeroed and copied only through it, so
 * the usages that this requires are added. Importers must repeat the resource as it was created.
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

/** A buffer with this size in bytes; an image unchanged, because it has no size. */
export function sized(resource: Resource, size: bigint): NativeResource {
  return resource.what === 'buffer' ? { ...resource, size } : resource;
}
