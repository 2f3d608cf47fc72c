/**
 * What the daemon reports besides the answers to requests, normally to its log. No call is awaited, and none
 * throws.
 */
export interface Reporter {
  /** Reports a failure that is not returned to any caller. */
  fault(what: string, cause: unknown): void;
  /** Reports an event that is not a failure, for the operator. */
  note(what: string): void;
}
