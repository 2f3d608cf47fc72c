/**
 * What the daemon reports beside the answers of requests: to its log, whatever that is. Never awaited, and it
 * never throws.
 */
export interface Reporter {
  /** A failure that no caller gets as an answer. */
  fault(what: string, cause: unknown): void;
  /** What an operator should know although nothing failed. */
  note(what: string): void;
}
