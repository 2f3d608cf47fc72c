/**
 * Errors on the wire: a VkmemError as google.rpc.Status with one google.rpc.ErrorInfo, and back.
 *
 * gRPC carries the Status in the trailer `grpc-status-details-bin`, the handoff socket as
 * ServerMessage.error; both are the same bytes. A peer's Status is not trusted: a code that this build does
 * not know becomes INTERNAL with the peer's text as its reason.
 */
import { type Decoded, type Draft, decode, encode } from './codec.js';
import { ERROR_DOMAIN, isErrorCode, VkmemError } from './errors.js';

/** The metadata key under which gRPC carries an encoded google.rpc.Status. */
export const STATUS_METADATA = 'grpc-status-details-bin';

const ERROR_INFO_URL = 'type.googleapis.com/google.rpc.ErrorInfo';

/** Any failure as a VkmemError: an unexpected one becomes INTERNAL, with the failure as its cause. */
export function asVkmemError(failure: unknown): VkmemError {
  if (failure instanceof VkmemError) return failure;
  const { code } = (failure ?? {}) as { code?: unknown };
  if (code === 'EMFILE' || code === 'ENFILE') {
    return new VkmemError('TOO_MANY_FILES', `No file descriptor is left (${code}).`, {}, failure);
  }
  const text = failure instanceof Error ? failure.message : String(failure);
  return new VkmemError('INTERNAL', text, {}, failure);
}

/** The error as google.rpc.Status. */
export function statusOf(error: VkmemError): Draft<'Status'> {
  const info = encode('ErrorInfo', {
    reason: error.code,
    domain: ERROR_DOMAIN,
    metadata: { ...error.metadata, reason: error.reason, next: error.next },
  });
  return { code: error.grpc, message: error.message, details: [{ type_url: ERROR_INFO_URL, value: info }] };
}

/**
 * The error that a google.rpc.Status describes.
 * @throws VkmemError PROTOCOL_ERROR where its details cannot be decoded.
 */
export function errorOf(status: Decoded<'Status'>): VkmemError {
  for (const detail of status.details) {
    if (detail.type_url !== ERROR_INFO_URL) continue;
    const { reason: code, domain, metadata } = decode('ErrorInfo', detail.value);
    if (domain !== ERROR_DOMAIN) continue;
    const { reason = '', next: _next, ...particulars } = metadata;
    if (isErrorCode(code)) return new VkmemError(code, reason, particulars);
    return new VkmemError('INTERNAL', `The daemon answered ${code}: ${status.message}`, particulars);
  }
  return new VkmemError('INTERNAL', `The daemon answered without details: ${status.message}`);
}

/** The error as an encoded Status, for gRPC's trailer. */
export const packStatus = (error: VkmemError): Buffer => encode('Status', statusOf(error));
/** The error of an encoded Status. @throws VkmemError PROTOCOL_ERROR. */
export const unpackStatus = (bytes: Uint8Array): VkmemError => errorOf(decode('Status', bytes));
