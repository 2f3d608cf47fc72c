// Original file: proto/vkmem/v1/memory.proto

/**
 * Who may hold grants of a NAMED allocation at the same time.
 */
export const Sharing = {
  /**
   * The same as SHARING_SHARED.
   */
  SHARING_UNSPECIFIED: 'SHARING_UNSPECIFIED',
  /**
   * Anybody who may, to read and to write.
   */
  SHARING_SHARED: 'SHARING_SHARED',
  /**
   * One session at a time to write; any number to read, at the same time too.
   */
  SHARING_ONE_WRITER: 'SHARING_ONE_WRITER',
  /**
   * One session to write, or any number to read, never both.
   */
  SHARING_EXCLUSIVE: 'SHARING_EXCLUSIVE',
} as const;

/**
 * Who may hold grants of a NAMED allocation at the same time.
 */
export type Sharing =
  /**
   * The same as SHARING_SHARED.
   */
  | 'SHARING_UNSPECIFIED'
  | 0
  /**
   * Anybody who may, to read and to write.
   */
  | 'SHARING_SHARED'
  | 1
  /**
   * One session at a time to write; any number to read, at the same time too.
   */
  | 'SHARING_ONE_WRITER'
  | 2
  /**
   * One session to write, or any number to read, never both.
   */
  | 'SHARING_EXCLUSIVE'
  | 3

/**
 * Who may hold grants of a NAMED allocation at the same time.
 */
export type Sharing__Output = typeof Sharing[keyof typeof Sharing]
