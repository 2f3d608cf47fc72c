/**
 * Errors on the wire: converts a VkmemError to a google.rpc.Status with one google.rpc.ErrorInfo, and back.
 *
 * gRPC carries the Status in the trailer `grpc-status-details-bin`, the handoff socket in
 * ServerMessage.error, with the same bytes. A peer's Status is not trusted: a code that this build does not
 * define becomes INTERNAL, with the peer's text as its reason.
 */
import { type Decoded, type Draft, decode, encode } from './codec.js';
import { ERROR_DOMAIN, isErrorCode, VkmemError } from './errors.js';
import { adviceOf, systemFault } from './system-fault.js';

/** The gRPC metadata key of an encoded google.rpc.Status. */
export const STATUS_METADATA = 'grpc-status-details-bin';

const ERROR_INFO_URL = 'type.googleapis.com/google.rpc.ErrorInfo';

/**
 * Converts any failure to a VkmemError. EMFILE and ENFILE become TOO_MANY_FILES, any other unexpected failure
 * INTERNAL, with the failure as the cause.
 */
export function asVkmemError(failure: unknown): VkmemError {
  if (failure instanceof VkmemError) return failure;
  const { code } = (failure ?? {}) as { code?: unknown };
  if (code === 'EMFILE' || code === 'ENFILE') {
    return new VkmemError('TOO_MANY_FILES', `No file descriptor is left (${code}).`, {}, failure);
  }
  const fault = systemFault(failure);
  if (fault) {
    const { errno = '', syscall = '' } = fault.metadata;
    const next = `The operator: ${adviceOf(errno) ?? 'see the call and the errno in the reason, and the log of the daemon.'}`;
    return new VkmemError('INTERNAL', fault.reason, { errno, syscall, whose: 'daemon' }, failure, next);
  }
  const text = failure instanceof Error ? failure.message : String(failure);
  return new VkmemError('INTERNAL', text, {}, failure);
}

/** Converts an error to a google.rpc.Status. */
export function statusOf(error: VkmemError): Draft<'Status'> {
  const info = encode('ErrorInfo', {
    reason: error.code,
    domain: ERROR_DOMAIN,
    metadata: { ...error.metadata, reason: error.reason, next: error.next },
  });
  return { code: error.grpc, message: error.message, details: [{ type_url: ERROR_INFO_URL, value: info }] };
}

/**
 * Converts a google.rpc.Status to an error.
 * @throws VkmemError PROTOCOL_ERROR where its details cannot be decoded.
 */
export function errorOf(status: Decoded<'Status'>): VkmemError {
  for (const detail of status.details) {
    if (detail.type_url !== ERROR_INFO_URL) continue;
    const { reason: code, domain, metadata } = decode('ErrorInfo', detail.value);
    if (domain !== ERROR_DOMAIN) continue;
    const { reason = '', next, ...particulars } = metadata;
    if (isErrorCode(code)) return new VkmemError(code, reason, particulars, undefined, next || undefined);
    return new VkmemError('INTERNAL', `The daemon answered ${code}: ${status.message}`, particulars);
  }
  return new VkmemError('INTERNAL', `The daemon answered without details: ${status.message}`);
}

/** Encodes an error as a google.rpc.Status, for the trailer of gRPC. */
export const packStatus = (error: VkmemError): Buffer => encode('Status', statusOf(error));
/**
 * Decodes the error of an encoded google.rpc.Status.
 * @throws VkmemError PROTOCOL_ERROR where the bytes are not a Status.
 */
export const unpackStatus = (bytes: Uint8Array): VkmemError => errorOf(decode('Status', bytes));
