/**
 * Converts the failure of a gRPC call to an error of the catalogue: the daemon's error where it answered,
 * otherwise the failure of the connection.
 */
import type { ServiceError } from '@grpc/grpc-js';
import { STATUS_METADATA, socketShut, unpackStatus, VkmemError } from '@vkmemd/proto';

/** The google.rpc.Codes with which gRPC itself ends a call that the daemon did not answer. */
const UNANSWERED = new Map([
  [1, 'The call was cancelled'],
  [4, 'The daemon did not answer in time'],
  [14, 'The control socket cannot be reached'],
]);

/** Matches the details of a call that was never sent: there was no connection. */
const UNSENT = /No connection established|ENOENT|ECONNREFUSED|EAGAIN/;
/** Matches the details where the kernel's queue of connections was full. */
const QUEUE_FULL = /\bEAGAIN\b/;

/** Whether a failure is an error of a gRPC call. */
export function isServiceError(failure: unknown): failure is ServiceError {
  return failure instanceof Error && 'details' in failure && 'metadata' in failure;
}

/**
 * Converts an error of a gRPC call. If the daemon was not reached, or the connection ended before its answer,
 * the metadata have `retryable`, and `outcome` (`not-done` or `unknown`) for whether the daemon may have
 * served the call.
 * @param socket The path of the control socket.
 * @param unseen A reason why the socket may be out of reach, for the error text.
 */
export function asCatalogued(error: ServiceError, socket: string, unseen?: string): VkmemError {
  const details = error.metadata?.get(STATUS_METADATA)[0];
  if (details instanceof Uint8Array) return unpackStatus(details);
  const unanswered = UNANSWERED.get(error.code);
  if (unanswered) {
    const [why] = error.details.replace(/^.*Last error: (Error: )?/, '').split(/\.? Resolution note:/);
    if (/\b(EACCES|EPERM)\b/.test(error.details)) {
      return socketShut(socket, `${unanswered}: ${why}.`, {}, error);
    }
    const hint = unseen === undefined || error.code !== 14 ? '' : ` ${unseen}.`;
    const outcome = UNSENT.test(error.details) ? 'not-done' : 'unknown';
    const errno = QUEUE_FULL.test(error.details) && { errno: 'EAGAIN' };
    const metadata = error.code === 4 ? {} : { retryable: 'true', outcome, ...errno };
    return new VkmemError('UNAVAILABLE', `${unanswered}: ${why}.${hint}`, metadata, error);
  }
  return new VkmemError('INTERNAL', `gRPC status ${error.code}: ${error.details}`, {}, error);
}
