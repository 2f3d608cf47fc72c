/**
 * The last message to a peer: why the daemon closes the connection.
 */
import {
  Connection,
  encode,
  type Fault,
  MAX_MESSAGE_BYTES,
  type OwnedFd,
  statusOf,
  VkmemError,
} from '@vkmemd/proto';

/** @param sequence of the message that ended the conversation; 0 where no message did. */
export const goodbye = (sequence: bigint, error: VkmemError): Uint8Array =>
  encode('ServerMessage', { sequence, error: statusOf(error) });

/** The error that a peer is sent which broke a limit of its connection. */
export function errorOfFault({ kind }: Fault): VkmemError {
  if (kind !== 'fds-refused') return new VkmemError('PROTOCOL_ERROR', `${kind}.`);
  return new VkmemError('UNAVAILABLE', 'Too many files that the user sent cannot be closed: none is taken.');
}

/** Refuses an accepted connection, of which nothing is read. @param socket taken. */
export function reject(socket: OwnedFd, refusal: VkmemError): void {
  const limits = { maxMessageBytes: MAX_MESSAGE_BYTES, untrusted: true };
  new Connection(socket, { message() {}, close() {} }, limits).end(goodbye(0n, refusal));
}
