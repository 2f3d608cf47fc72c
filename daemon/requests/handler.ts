/**
 * How a plane calls the handler of a request: with the caller, the decoded message and the received fds.
 *
 * A request's file makes its handler from the collaborators that it uses. The handler does not depend on the
 * plane that calls it. It owns the fds of the request; if it throws, the plane closes those that are still
 * open. The plane owns the fds of the answer.
 */
import type {
  OwnedFd,
  PartsRequest,
  RequestName,
  RequestOf,
  ResponseDraft,
  StreamRequest,
} from '@vkmemd/proto';
import type { AnyCaller, Caller } from '../memory/session/caller.js';

/** An answer, and its fds, in the order in which the message names them. The plane owns the fds. */
export interface Answer<N extends RequestName> {
  /** The message, or its encoded bytes. */
  readonly response: ResponseDraft<N> | Uint8Array;
  readonly fds: OwnedFd[];
}

/** @throws VkmemError if the request is refused; nothing was changed then. */
export type Handler<N extends RequestName> = (
  caller: Caller,
  request: RequestOf<N>,
  fds: readonly OwnedFd[],
) => Promise<Answer<N>> | Answer<N>;

/** The handler of a request that a caller without an identity may send too. */
export type OpenHandler<N extends RequestName> = (
  caller: AnyCaller,
  request: RequestOf<N>,
  fds: readonly OwnedFd[],
) => Promise<Answer<N>> | Answer<N>;

/** Yields the parts of the answer. It is resumed once a part is sent; if one cannot be, it is returned. */
export type PartsHandler<N extends PartsRequest> = (
  caller: Caller,
  request: RequestOf<N>,
) => AsyncGenerator<Answer<N>, void>;

/** Yields answers until the signal is aborted; then it throws the signal's reason. */
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
