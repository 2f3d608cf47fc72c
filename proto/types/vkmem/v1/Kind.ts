// Original file: proto/vkmem/v1/memory.proto

/**
 * A way to hand memory out.
 */
export const Kind = {
  KIND_UNSPECIFIED: 'KIND_UNSPECIFIED',
  /**
   * A file descriptor that any process can mmap.
   */
  KIND_MAPPABLE: 'KIND_MAPPABLE',
  /**
   * VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT: for Vulkan, CUDA, HIP or Level Zero on the same device and
   * driver.
   */
  KIND_OPAQUE_FD: 'KIND_OPAQUE_FD',
  /**
   * VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT.
   */
  KIND_DMA_BUF: 'KIND_DMA_BUF',
  /**
   * An address that a peer device can read and write; no file descriptor.
   */
  KIND_RDMA_ADDRESS: 'KIND_RDMA_ADDRESS',
} as const;

/**
 * A way to hand memory out.
 */
export type Kind =
  | 'KIND_UNSPECIFIED'
  | 0
  /**
   * A file descriptor that any process can mmap.
   */
  | 'KIND_MAPPABLE'
  | 1
  /**
   * VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT: for Vulkan, CUDA, HIP or Level Zero on the same device and
   * driver.
   */
  | 'KIND_OPAQUE_FD'
  | 2
  /**
   * VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT.
   */
  | 'KIND_DMA_BUF'
  | 3
  /**
   * An address that a peer device can read and write; no file descriptor.
   */
  | 'KIND_RDMA_ADDRESS'
  | 4

/**
 * A way to hand memory out.
 */
export type Kind__Output = typeof Kind[keyof typeof Kind]
