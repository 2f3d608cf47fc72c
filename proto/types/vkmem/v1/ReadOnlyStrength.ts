// Original file: proto/vkmem/v1/memory.proto

/**
 * Whether the kernel enforces that a grant is read-only.
 */
export const ReadOnlyStrength = {
  /**
   * The grant is not read-only.
   */
  READ_ONLY_STRENGTH_UNSPECIFIED: 'READ_ONLY_STRENGTH_UNSPECIFIED',
  /**
   * The handle cannot write, and the kernel does not let its holder open another one through it:
   * docs/sharing.md.
   */
  READ_ONLY_STRENGTH_ENFORCED: 'READ_ONLY_STRENGTH_ENFORCED',
  /**
   * The holder is trusted not to write: its handle, or its user id, would allow it. KIND_OPAQUE_FD is always so: map
   * it by CUDA with CU_MEM_ACCESS_FLAGS_PROT_READ, as docs/kinds.md shows, so that a mistaken write fails.
   */
  READ_ONLY_STRENGTH_ADVISORY: 'READ_ONLY_STRENGTH_ADVISORY',
} as const;

/**
 * Whether the kernel enforces that a grant is read-only.
 */
export type ReadOnlyStrength =
  /**
   * The grant is not read-only.
   */
  | 'READ_ONLY_STRENGTH_UNSPECIFIED'
  | 0
  /**
   * The handle cannot write, and the kernel does not let its holder open another one through it:
   * docs/sharing.md.
   */
  | 'READ_ONLY_STRENGTH_ENFORCED'
  | 1
  /**
   * The holder is trusted not to write: its handle, or its user id, would allow it. KIND_OPAQUE_FD is always so: map
   * it by CUDA with CU_MEM_ACCESS_FLAGS_PROT_READ, as docs/kinds.md shows, so that a mistaken write fails.
   */
  | 'READ_ONLY_STRENGTH_ADVISORY'
  | 2

/**
 * Whether the kernel enforces that a grant is read-only.
 */
export type ReadOnlyStrength__Output = typeof ReadOnlyStrength[keyof typeof ReadOnlyStrength]
