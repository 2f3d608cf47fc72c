/**
 * Errors as HTTP carries them: the catalogue's code, the message and what to do next, as a JSON object, with
 * the HTTP status that fits the code.
 *
 * An error that Node.js or fastify produces (bytes that are not HTTP, headers that are too large, an unknown
 * parameter) is given a code of the catalogue when it is sent.
 */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { asVkmemError, CATALOGUE, type ErrorCode, GrpcCode, VkmemError } from '@vkmemd/proto';
import type { FastifyError, FastifyReply } from 'fastify';

const JSON_TYPE = 'application/json; charset=utf-8';

/** The HTTP statuses of google.rpc.Code (google/rpc/code.proto); a code that is not listed is 400. */
const STATUSES: Readonly<Record<number, number>> = {
  [GrpcCode.NOT_FOUND]: 404,
  [GrpcCode.ALREADY_EXISTS]: 409,
  [GrpcCode.PERMISSION_DENIED]: 403,
  [GrpcCode.RESOURCE_EXHAUSTED]: 429,
  [GrpcCode.ABORTED]: 409,
  [GrpcCode.UNIMPLEMENTED]: 501,
  [GrpcCode.INTERNAL]: 500,
  [GrpcCode.UNAVAILABLE]: 503,
  [GrpcCode.UNAUTHENTICATED]: 401,
};

/** Refusals of a connection, not of a request. */
const FINAL: readonly ErrorCode[] = ['TOO_MANY_SESSIONS', 'TOO_MANY_FILES'];

export const statusOfCode = (code: ErrorCode): number => STATUSES[CATALOGUE[code].grpc] ?? 400;

/** The body of every error answer. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly next: string;
}

export const refusalOf = ({ code, message, next }: VkmemError | Refusal): Refusal => ({
  code,
  message,
  next,
});

/**
 * The failure of a request as an error of the catalogue. A failure that is not known to be the client's fault
 * is INTERNAL.
 */
export function faultOf(failure: FastifyError | Error): VkmemError {
  const { statusCode, validation } = failure as Partial<FastifyError>;
  if (validation) {
    const next = 'limit is 1 to 500, after is `next` of the previous page; other pages have no parameters.';
    return new VkmemError('INVALID_ARGUMENT', `${failure.message}.`, {}, undefined, next);
  }
  if (!(failure instanceof VkmemError) && statusCode !== undefined && statusCode < 500) {
    return notHttp(`${failure.message}.`);
  }
  return asVkmemError(failure);
}

const notHttp = (reason: string): VkmemError =>
  new VkmemError(
    'PROTOCOL_ERROR',
    reason,
    {},
    undefined,
    'Send a valid request of HTTP/1.1, such as by curl.',
  );

/** Sends an error answer, with a Retry-After header if the error has `retry_after_ms`. */
export function refuse(
  reply: FastifyReply,
  error: VkmemError | Refusal,
  status = statusOfCode(error.code),
): FastifyReply {
  // The core disconnects a caller that it has no room for.
  if (FINAL.includes(error.code)) reply.header('connection', 'close');
  const wait = error instanceof VkmemError ? error.metadata.retry_after_ms : undefined;
  if (wait !== undefined) reply.header('retry-after', String(Math.ceil(Number(wait) / 1000)));
  return reply
    .code(status)
    .type(JSON_TYPE)
    .send(JSON.stringify(refusalOf(error)));
}

/** Answers bytes that could not be parsed as a request, and closes the connection. */
export function refuseUnread(socket: Duplex, failure: Error): void {
  const { code, reason } = failure as NodeJS.ErrnoException & { reason?: string };
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
  const error = notHttp(`The bytes are not a valid HTTP request: ${reason ?? failure.message}.`);
  const body = JSON.stringify(refusalOf(error));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${JSON_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
