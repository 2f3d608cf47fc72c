/** The last message to a peer: the reason why the daemon closes the connection. */
import {
  Connection,
  encode,
  type Fault,
  MAX_MESSAGE_BYTES,
  type OwnedFd,
  statusOf,
  VkmemError,
} from '@vkmemd/proto';

/** @param sequence of the message that ended the connection; 0 if no message did. */
export const goodbye = (sequence: bigint, error: VkmemError): Uint8Array =>
  encode('ServerMessage', { sequence, error: statusOf(error) });

/** The error that is sent to a peer that broke a limit of its connection. */
export function errorOfFault({ kind }: Fault): VkmemError {
  if (kind !== 'fds-refused') return new VkmemError('PROTOCOL_ERROR', `${kind}.`);
  return new VkmemError(
    'UNAVAILABLE',
    'Too many fds that the user sent are still waiting to be closed; no more are accepted.',
  );
}

/** Refuses an accepted connection without reading from it. @param socket ownership is taken. */
export function reject(socket: OwnedFd, refusal: VkmemError): void {
  const limits = { maxMessageBytes: MAX_MESSAGE_BYTES, untrusted: true };
  new Connection(socket, { message() {}, close() {} }, limits).end(goodbye(0n, refusal));
}
