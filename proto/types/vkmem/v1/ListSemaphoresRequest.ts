// Original file: proto/vkmem/v1/semaphore.proto


export interface ListSemaphoresRequest {
  /**
   * The maximum number of semaphores in the answer; above 500 means 500. Default 100.
   */
  'pageSize'?: (number);
  /**
   * next_page_token of the previous page; empty for the first.
   */
  'pageToken'?: (string);
}

export interface ListSemaphoresRequest__Output {
  /**
   * The maximum number of semaphores in the answer; above 500 means 500. Default 100.
   */
  'pageSize': (number);
  /**
   * next_page_token of the previous page; empty for the first.
   */
  'pageToken': (string);
}
