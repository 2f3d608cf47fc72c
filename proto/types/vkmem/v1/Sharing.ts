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
   * Any number of sessions, for reading and writing.
   */
  SHARING_SHARED: 'SHARING_SHARED',
  /**
   * One session for writing at a time; any number for reading, at the same time too.
   */
  SHARING_ONE_WRITER: 'SHARING_ONE_WRITER',
  /**
   * One session for writing, or any number for reading, never both.
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
   * Any number of sessions, for reading and writing.
   */
  | 'SHARING_SHARED'
  | 1
  /**
   * One session for writing at a time; any number for reading, at the same time too.
   */
  | 'SHARING_ONE_WRITER'
  | 2
  /**
   * One session for writing, or any number for reading, never both.
   */
  | 'SHARING_EXCLUSIVE'
  | 3

/**
 * Who may hold grants of a NAMED allocation at the same time.
 */
export type Sharing__Output = typeof Sharing[keyof typeof Sharing]
