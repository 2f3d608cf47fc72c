/**
 * The failure of a gRPC call as an error of the catalogue: the daemon's own where it answered, otherwise the
 * failure of the connection.
 */
import type { ServiceError } from '@grpc/grpc-js';
import { SOCKET_IS_SHUT, STATUS_METADATA, unpackStatus, VkmemError } from '@vkmemd/proto';

/** Of google.rpc.Code, those that gRPC itself gives a call which the daemon did not answer. */
const UNANSWERED = new Map([
  [1, 'The call was cut off'],
  [4, 'The answer did not come in time'],
  [14, 'The control socket was not reached'],
]);

/** Of a call that never left this process: there was no connection to send it on. */
const UNSENT = /No connection established|ENOENT|ECONNREFUSED/;

export function isServiceError(failure: unknown): failure is ServiceError {
  return failure instanceof Error && 'details' in failure && 'metadata' in failure;
}

/**
 * With the metadata `retryable`, and whether it can have been done (`outcome`: `not-done` or `unknown`),
 * where the daemon was not reached, or cut it off.
 * @param unseen why the socket may not be reached, where that is known.
 */
export function asCatalogued(error: ServiceError, unseen?: string): VkmemError {
  const details = error.metadata?.get(STATUS_METADATA)[0];
  if (details instanceof Uint8Array) return unpackStatus(details);
  const unanswered = UNANSWERED.get(error.code);
  if (unanswered) {
    const [why] = error.details.replace(/^.*Last error: (Error: )?/, '').split(/\.? Resolution note:/);
    if (/\b(EACCES|EPERM)\b/.test(error.details)) {
      return new VkmemError('NOT_PERMITTED', `${unanswered}: ${why}. ${SOCKET_IS_SHUT}`, {}, error);
    }
    const hint = unseen === undefined || error.code !== 14 ? '' : ` ${unseen}.`;
    const outcome = UNSENT.test(error.details) ? 'not-done' : 'unknown';
    const metadata = error.code === 4 ? {} : { retryable: 'true', outcome };
    return new VkmemError('UNAVAILABLE', `${unanswered}: ${why}.${hint}`, metadata, error);
  }
  return new VkmemError('INTERNAL', `gRPC status ${error.code}: ${error.details}`, {}, error);
}
