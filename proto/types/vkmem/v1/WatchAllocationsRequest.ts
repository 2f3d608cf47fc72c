// Original file: proto/vkmem/v1/control.proto


export interface WatchAllocationsRequest {
  /**
   * Whether the stream begins with a CREATED for each existing allocation.
   */
  'includeExisting'?: (boolean);
}

export interface WatchAllocationsRequest__Output {
  /**
   * Whether the stream begins with a CREATED for each existing allocation.
   */
  'includeExisting': (boolean);
}
