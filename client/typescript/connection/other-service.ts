/** A socket on which another service than vkmemd listens. */
import { CONTROL_SOCKET, HANDOFF_SOCKET, VkmemError } from '@vkmemd/proto';

/** The error where the other side does not speak the protocol of the socket, in any of its messages. */
export function otherService(path: string, what: string, cause?: unknown): VkmemError {
  const next = `Check the path: a daemon has ${HANDOFF_SOCKET} and ${CONTROL_SOCKET} in its runtime folder.`;
  const reason = `${path}: ${what}: another service listens there.`;
  return new VkmemError('PROTOCOL_ERROR', reason, {}, cause, next);
}
