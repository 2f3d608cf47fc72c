/**
 * A request on the handoff socket: its answer, and its state until then.
 *
 * The daemon did not serve a request that was never sent. It is unknown whether it served a request that was
 * sent and not answered. The metadata of the error report it: `outcome` is `not-done` or `unknown`, and
 * `attempts` is how often the request was sent.
 */
import {
  closeAll,
  type HandoffRequest,
  type OwnedFd,
  type RequestDraft,
  type ResponseOf,
  VkmemError,
} from '@vkmemd/proto';

/** An answer, and the fds of its grants, in the order of the grants. The receiver owns the fds. */
export interface Answer<R extends HandoffRequest> {
  readonly message: ResponseOf<R>;
  readonly fds: OwnedFd[];
}

/** Sends requests to the daemon: a single connection, or a Link. */
export interface Requester {
  /**
   * Sends a request and waits for the answer.
   * @param fds Sent with the request. Taken, also if the request is never sent.
   * @throws VkmemError the daemon's error; PROTOCOL_ERROR if its answer is inconsistent; UNAVAILABLE if the
   *   connection ended before the answer.
   */
  request<R extends HandoffRequest>(
    request: R,
    fields: RequestDraft<R>,
    fds?: readonly OwnedFd[],
  ): Promise<Answer<R>>;
}

/** A request without an answer. */
export interface Pending {
  readonly request: HandoffRequest;
  readonly fields: unknown;
  /** Owned by the request until it is sent. */
  readonly fds: readonly OwnedFd[];
  /** Whether it is sent with the credentials of this process; then it has no fds. */
  readonly signed?: boolean;
  /** The epoch that the request is bound to, if it is valid in no other one. */
  readonly epoch?: object | undefined;
  /** How often the request was sent, on all connections. */
  attempts: number;
  /** How many connections ended while it was under way: each time the daemon had ended, or restarted. */
  losses: number;
  resolve(answer: Answer<never>): void;
  reject(reason: unknown): void;
}

/**
 * Receives the requests without an answer when a connection ends. It has to settle each of them and close its
 * fds.
 */
export type ConnectionLost = (unanswered: readonly Pending[], reason: VkmemError) => void;

/** The error of a request without an answer. A reason other than UNAVAILABLE is returned unchanged. */
export function unansweredError({ attempts }: Pending, reason: VkmemError): VkmemError {
  if (reason.code !== 'UNAVAILABLE') return reason;
  const outcome = attempts === 0 ? 'not-done' : 'unknown';
  const metadata = { retryable: 'true', outcome, attempts: String(attempts) };
  return new VkmemError('UNAVAILABLE', reason.reason, metadata, reason, reason.next);
}

/** The error of a request that is made after the end. */
export const afterEnd = (end: VkmemError): VkmemError =>
  new VkmemError('UNAVAILABLE', end.reason, {}, end, end.next);

/** The end of a client that its program has closed. */
export const clientClosed = (cause?: unknown): VkmemError =>
  new VkmemError('UNAVAILABLE', 'The client was closed.', {}, cause, 'Connect again to make more requests.');

/** Rejects a request and closes its fds. */
export function rejectPending(pending: Pending, failure: VkmemError): void {
  closeAll(pending.fds);
  pending.reject(failure);
}

/** Rejects all requests and closes their fds. */
export const rejectAll: ConnectionLost = (unanswered, reason) => {
  for (const pending of unanswered) rejectPending(pending, reason);
};
