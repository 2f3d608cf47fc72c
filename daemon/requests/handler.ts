/**
 * How a plane calls a request: with its caller, the decoded message and the fds that came with it.
 *
 * A request's file makes its handler from the few collaborators that it uses. A handler parses, finds, does
 * and describes; it does not know which plane it was called from. The fds of the request are its own; where
 * it throws, the plane closes those that are still open. The plane owns the fds of the answer.
 */
import type { OwnedFd, RequestName, RequestOf, ResponseDraft, StreamRequest } from '@vkmemd/proto';
import type { Caller } from '../memory/session/caller.js';

/** An answer, and the fds that travel with it in the order in which it names them. The plane owns them. */
export interface Answer<N extends RequestName> {
  /** The message, or its encoded bytes. */
  readonly response: ResponseDraft<N> | Uint8Array;
  readonly fds: OwnedFd[];
}

/** @throws VkmemError what the request is refused with; nothing was changed then. */
export type Handler<N extends RequestName> = (
  caller: Caller,
  request: RequestOf<N>,
  fds: readonly OwnedFd[],
) => Promise<Answer<N>> | Answer<N>;

/** Answers again and again until the signal is aborted; then it throws the signal's reason. */
export type StreamHandler<N extends StreamRequest> = (
  caller: Caller,
  request: RequestOf<N>,
  signal: AbortSignal,
) => AsyncIterable<ResponseDraft<N>>;

/** An answer without fds. */
export const reply = <N extends RequestName>(response: ResponseDraft<N> | Uint8Array): Answer<N> => ({
  response,
  fds: [],
});
