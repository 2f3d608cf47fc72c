// Original file: proto/vkmem/v1/control.proto


export interface ListIvshmemRequest {
  /**
   * The maximum number of offers in the answer; above 500 means 500. Default 100.
   */
  'pageSize'?: (number);
  /**
   * next_page_token of the previous page; empty for the first.
   */
  'pageToken'?: (string);
}

export interface ListIvshmemRequest__Output {
  /**
   * The maximum number of offers in the answer; above 500 means 500. Default 100.
   */
  'pageSize': (number);
  /**
   * next_page_token of the previous page; empty for the first.
   */
  'pageToken': (string);
}
