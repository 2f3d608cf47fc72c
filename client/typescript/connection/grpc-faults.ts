/**
 * Converts the failure of a gRPC call to an error of the catalogue: the daemon's error where it answered,
 * otherwise the failure of the connection, in the words of the handoff socket. gRPC's own texts name neither the
 * socket nor what is there instead.
 */
import type { ServiceError } from '@grpc/grpc-js';
import {
  connectError,
  type ErrorCode,
  STATUS_METADATA,
  socketShut,
  unpackStatus,
  VkmemError,
} from '@vkmemd/proto';
import { otherService } from './other-service.js';

/** The google.rpc.Codes with which gRPC itself ends a call that the daemon did not answer. */
const [CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE] = [
  1, 4, 8, 12, 13, 14,
];

/** Matches the details where connect() failed, with its errno. */
const CONNECT_FAILED = /\bconnect (E[A-Z0-9]+)\b/;
/** Matches the details of a call that was never sent: there was no connection, or it was refused unread. */
const UNSENT = /No connection established|Stream refused by server/;
/** Matches the details where the first bytes of the other side were not HTTP/2. */
const NOT_HTTP2 = /\bProtocol error\b/;
const HTTP_STATUS = /Received HTTP status code (\d+)/;
/** Matches the details where the answer exceeds the client's own maximum. */
const TOO_LARGE = /larger than max|decompresses to a size larger/;

const TRY_AGAIN =
  'Try again; vkmemctl status shows whether the daemon is ready, and its front, which serves this socket, present.';
const UNKNOWN_OUTCOME = "Report it with the daemon's log; the request may have been done.";

/** Whether a failure is an error of a gRPC call. */
export function isServiceError(failure: unknown): failure is ServiceError {
  return failure instanceof Error && 'details' in failure && 'metadata' in failure;
}

/** Whether the daemon itself answered the call with this error. */
export const isAnswer = ({ metadata }: ServiceError): boolean =>
  metadata?.get(STATUS_METADATA)[0] instanceof Uint8Array;

/** The call that failed. */
export interface FailedCall {
  /** The path of the control socket. */
  readonly socket: string;
  /** A reason why the socket may be out of reach, for the error text. */
  readonly unseen?: string | undefined;
  /** The limit of the call, in milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Converts an error of a gRPC call. If the daemon was not reached, or the connection ended before its answer,
 * the metadata have `retryable`, and `outcome` (`not-done` or `unknown`) for whether the daemon may have
 * served the call. It does not throw.
 */
export function asCatalogued(error: ServiceError, call: FailedCall): VkmemError {
  if (isAnswer(error)) return answered(error, call);
  const [, errno] = CONNECT_FAILED.exec(error.details) ?? [];
  if (errno !== undefined) return unreached(errno, error, call);
  return unanswered(error, call);
}

function answered(error: ServiceError, { socket }: FailedCall): VkmemError {
  try {
    return unpackStatus(error.metadata.get(STATUS_METADATA)[0] as Uint8Array);
  } catch (failure) {
    return otherService(socket, 'the details of its answer are not a google.rpc.Status', failure);
  }
}

function unreached(errno: string, error: ServiceError, { socket, unseen }: FailedCall): VkmemError {
  const failure = socketShut(socket, connectError(socket, errno, error));
  if (failure.code !== 'UNAVAILABLE') return failure;
  const { code, reason, metadata, cause, next } = failure;
  const text = [reason, unseen && `${unseen}.`].filter(Boolean).join(' ');
  return new VkmemError(code, text, { retryable: 'true', outcome: 'not-done', ...metadata }, cause, next);
}

function unanswered(error: ServiceError, { socket, unseen, timeoutMs }: FailedCall): VkmemError {
  const fault = (code: ErrorCode, what: string, next?: string, metadata = {}) =>
    new VkmemError(code, `${socket}: ${what}.`, metadata, error, next);
  const other = (what: string) => otherService(socket, what, error);
  const { code, details } = error;
  const [, http] = HTTP_STATUS.exec(details) ?? [];
  if (http !== undefined) return other(`it answered with the HTTP status ${http}, not as gRPC does`);
  switch (code) {
    case CANCELLED:
      return fault('UNAVAILABLE', 'the call was cancelled', TRY_AGAIN, {
        retryable: 'true',
        outcome: 'unknown',
      });
    case DEADLINE_EXCEEDED: {
      const within = timeoutMs === undefined ? 'in time' : `within ${timeoutMs} ms`;
      return fault('UNAVAILABLE', `the daemon did not answer ${within}`, TRY_AGAIN);
    }
    case RESOURCE_EXHAUSTED:
      if (TOO_LARGE.test(details)) return fault('PROTOCOL_ERROR', 'the answer is larger than a client takes');
      return fault('UNAVAILABLE', 'the connection has too much under way', TRY_AGAIN);
    case UNIMPLEMENTED:
      return other('it is a gRPC server without the services of vkmemd');
    case UNAVAILABLE: {
      if (NOT_HTTP2.test(details)) return other('what it sent is not HTTP/2');
      const unsent = UNSENT.test(details);
      const what = `the connection was closed before ${unsent ? 'the call was sent' : 'the answer'}`;
      const outcome = unsent ? 'not-done' : 'unknown';
      const hint = unseen === undefined ? '' : `. ${unseen}`;
      return fault('UNAVAILABLE', `${what}${hint}`, TRY_AGAIN, { retryable: 'true', outcome });
    }
    case INTERNAL:
      return fault('INTERNAL', `gRPC ended the call: ${details.replace(/\.$/, '')}`, UNKNOWN_OUTCOME);
    default:
      return other(`the answer has the gRPC status ${code} without the details of vkmemd`);
  }
}
