// Original file: proto/vkmem/v1/control.proto


export interface ListAllocationsRequest {
  /**
   * The maximum number of allocations in the answer; above 500 means 500. Default 100.
   */
  'pageSize'?: (number);
  /**
   * next_page_token of the previous page; empty for the first. It names a position, which stays valid when the
   * allocation there is gone: an allocation that exists all the time is listed exactly once.
   */
  'pageToken'?: (string);
}

export interface ListAllocationsRequest__Output {
  /**
   * The maximum number of allocations in the answer; above 500 means 500. Default 100.
   */
  'pageSize': (number);
  /**
   * next_page_token of the previous page; empty for the first. It names a position, which stays valid when the
   * allocation there is gone: an allocation that exists all the time is listed exactly once.
   */
  'pageToken': (string);
}
