// Original file: proto/vkmem/v1/control.proto


export interface ListTicketsRequest {
  /**
   * The maximum number of tickets in the answer; above 500 means 500. Default 100.
   */
  'pageSize'?: (number);
  /**
   * next_page_token of the previous page; empty for the first.
   */
  'pageToken'?: (string);
}

export interface ListTicketsRequest__Output {
  /**
   * The maximum number of tickets in the answer; above 500 means 500. Default 100.
   */
  'pageSize': (number);
  /**
   * next_page_token of the previous page; empty for the first.
   */
  'pageToken': (string);
}
