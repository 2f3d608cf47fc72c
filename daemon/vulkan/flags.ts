/**
 * Names for those numbers of the Vulkan registry that this folder uses. Sources: VkMemoryPropertyFlagBits,
 * VkExternalMemoryHandleTypeFlagBits and VkExternalMemoryFeatureFlagBits of the Vulkan specification.
 */

/** VkMemoryPropertyFlagBits. */
export const MemoryFlag = {
  DEVICE_LOCAL: 0x1,
  HOST_VISIBLE: 0x2,
  HOST_COHERENT: 0x4,
  HOST_CACHED: 0x8,
  LAZILY_ALLOCATED: 0x10,
  PROTECTED: 0x20,
  DEVICE_COHERENT_AMD: 0x40,
  DEVICE_UNCACHED_AMD: 0x80,
  RDMA_CAPABLE: 0x100,
} as const;

/** VkExternalMemoryHandleTypeFlagBits. */
export const HandleType = {
  OPAQUE_FD: 0x1,
  HOST_ALLOCATION: 0x80,
  DMA_BUF: 0x200,
  RDMA_ADDRESS: 0x1000,
} as const;

/** VkExternalMemoryFeatureFlagBits. */
export const ExternalFeature = { DEDICATED_ONLY: 0x1, EXPORTABLE: 0x2, IMPORTABLE: 0x4 } as const;

/** The extensions that the kinds, and images of DRM format modifiers, require. */
export const Extension = {
  MEMORY_FD: 'VK_KHR_external_memory_fd',
  MEMORY_HOST: 'VK_EXT_external_memory_host',
  DMA_BUF: 'VK_EXT_external_memory_dma_buf',
  RDMA: 'VK_NV_external_memory_rdma',
  DRM_FORMAT_MODIFIER: 'VK_EXT_image_drm_format_modifier',
} as const;

/** Whether every bit of `wanted` is set in `flags`. */
export function has(flags: number, wanted: number): boolean {
  return (flags & wanted) === wanted;
}
