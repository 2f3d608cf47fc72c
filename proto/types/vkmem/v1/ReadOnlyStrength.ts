// Original file: proto/vkmem/v1/memory.proto

/**
 * Whether the kernel holds a read-only grant to its word.
 */
export const ReadOnlyStrength = {
  /**
   * The grant is not read-only.
   */
  READ_ONLY_STRENGTH_UNSPECIFIED: 'READ_ONLY_STRENGTH_UNSPECIFIED',
  /**
   * The handle does not write, and the kernel lets its holder have no other by it: docs/sharing.md.
   */
  READ_ONLY_STRENGTH_ENFORCED: 'READ_ONLY_STRENGTH_ENFORCED',
  /**
   * The holder is trusted not to write: its handle, or its user id, would let it.
   */
  READ_ONLY_STRENGTH_ADVISORY: 'READ_ONLY_STRENGTH_ADVISORY',
} as const;

/**
 * Whether the kernel holds a read-only grant to its word.
 */
export type ReadOnlyStrength =
  /**
   * The grant is not read-only.
   */
  | 'READ_ONLY_STRENGTH_UNSPECIFIED'
  | 0
  /**
   * The handle does not write, and the kernel lets its holder have no other by it: docs/sharing.md.
   */
  | 'READ_ONLY_STRENGTH_ENFORCED'
  | 1
  /**
   * The holder is trusted not to write: its handle, or its user id, would let it.
   */
  | 'READ_ONLY_STRENGTH_ADVISORY'
  | 2

/**
 * Whether the kernel holds a read-only grant to its word.
 */
export type ReadOnlyStrength__Output = typeof ReadOnlyStrength[keyof typeof ReadOnlyStrength]
