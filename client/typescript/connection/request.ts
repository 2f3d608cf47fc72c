/**
 * A request on the handoff socket: its answer, and its state while it has none.
 *
 * A request that never left this process was not done. Whether a request that was sent and not answered was
 * done is not known. The error says which of the two it is, in its metadata: `outcome` is `not-done` or
 * `unknown`, and `attempts` is how often it was sent.
 */
import {
  closeAll,
  type HandoffRequest,
  type OwnedFd,
  type RequestDraft,
  type ResponseOf,
  VkmemError,
} from '@vkmemd/proto';

/** An answer and the file descriptors of its grants, in their order. The receiver owns them. */
export interface Answer<R extends HandoffRequest> {
  readonly message: ResponseOf<R>;
  readonly fds: OwnedFd[];
}

/** Sends requests to the daemon: one connection, or a Link over several. */
export interface Requester {
  /**
   * Sends a request and waits for the answer.
   * @param fds sent with the request. Always taken, also where it is never sent.
   * @throws VkmemError what the daemon refuses with; PROTOCOL_ERROR where its answer is inconsistent;
   *   UNAVAILABLE where the connection ended before it came.
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
  /** The session epoch that it belongs to, where it means nothing in another one. */
  readonly epoch?: object | undefined;
  /** How often it was sent, on any connection. */
  attempts: number;
  resolve(answer: Answer<never>): void;
  reject(reason: unknown): void;
}

/** Receives the requests without an answer when a connection ends; it settles each, and closes its fds. */
export type ConnectionLost = (unanswered: readonly Pending[], reason: VkmemError) => void;

/**
 * The error of a request without an answer. A reason that no other connection changes is passed on as it is.
 */
export function unansweredError({ attempts }: Pending, reason: VkmemError): VkmemError {
  if (reason.code !== 'UNAVAILABLE') return reason;
  const outcome = attempts === 0 ? 'not-done' : 'unknown';
  const metadata = { retryable: 'true', outcome, attempts: String(attempts) };
  return new VkmemError('UNAVAILABLE', reason.reason, metadata, reason);
}

/** Rejects a request and closes its fds. */
export function rejectPending(pending: Pending, failure: VkmemError): void {
  closeAll(pending.fds);
  pending.reject(failure);
}

export const rejectAll: ConnectionLost = (unanswered, reason) => {
  for (const pending of unanswered) rejectPending(pending, reason);
};
