/**
 * Frames: how many fds travel with which message of a client.
 */
import { type Decoded, VkmemError } from '@vkmemd/proto';

type Message = Decoded<'ClientMessage'>;

/** The most that one message may have. */
export const MAX_CLIENT_FDS = 1;

/** Of those that may have any: what was imported, a process. */
const FDS: Readonly<Record<string, readonly number[]>> = { import: [1], entrust: [1] };

/** @param came with the datagram. @throws VkmemError PROTOCOL_ERROR. */
export function checkFds({ body, fdCount }: Message, came: number): void {
  const may = FDS[body ?? ''] ?? [0];
  if (fdCount === came && may.includes(came)) return;
  const carries = `${body ?? 'a message'} carries ${may.join(' or ')}`;
  throw new VkmemError('PROTOCOL_ERROR', `fd_count is ${fdCount} and ${came} came; ${carries}.`);
}
