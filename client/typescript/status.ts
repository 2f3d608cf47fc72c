/**
 * The status of the daemon. The handoff socket reports it without a session, and while the part of the daemon
 * that serves the control socket is away.
 */
import { type Counts, type Decoded, VkmemError } from '@vkmemd/proto';
import { present } from './connection/answer.js';
import { openDaemon } from './connection/daemon-peer.js';
import { findDaemon, type PlaceOfSocket } from './connection/discovery.js';
import { HandoffConnection } from './connection/handoff.js';
import { DEFAULT_TIMEOUT_MS, prepareHello } from './connection/hello.js';

/** A reason why the daemon is not ready, or a warning (Problem in memory.proto). */
export type DaemonProblem = Decoded<'Problem'>;

/** The part of the daemon that serves the control and admin sockets (FrontStatus in memory.proto). */
export type FrontStatus = Decoded<'FrontStatus'>;

/** Whether the daemon is ready, and what it holds. */
export interface DaemonStatus extends Decoded<'GetStatusResponse'> {
  /** What serves the control and admin sockets. While it is not `present`, these do not answer. */
  readonly front: FrontStatus;
  /** The numbers of objects that the daemon holds. */
  readonly counts: Counts;
}

/** @throws VkmemError PROTOCOL_ERROR if a part is absent. */
export const daemonStatus = (answer: Decoded<'GetStatusResponse'>): DaemonStatus => ({
  ...answer,
  front: present(answer.front),
  counts: present(answer.counts),
});

/**
 * Asks the handoff socket for the status, on a connection without a session.
 * @param place Which daemon; default as for connect().
 * @param timeoutMs Milliseconds that the answer may take.
 * @throws VkmemError UNAVAILABLE, NOT_PERMITTED; TOO_MANY_SESSIONS, TOO_MANY_FILES; PROTOCOL_ERROR.
 */
export async function statusOverHandoff(
  place: PlaceOfSocket = {},
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<DaemonStatus> {
  prepareHello();
  const { handoff: path } = findDaemon(place);
  const handoff = new HandoffConnection(await openDaemon(path, place.expectUid, timeoutMs), path);
  const timer = setTimeout(() => {
    handoff.close(
      new VkmemError('UNAVAILABLE', `${path}: the daemon did not answer within ${timeoutMs} ms.`),
    );
  }, timeoutMs);
  try {
    return daemonStatus((await handoff.request('GetStatus', {})).message);
  } finally {
    clearTimeout(timer);
    handoff.close(new VkmemError('UNAVAILABLE', 'The connection was closed.'));
    await handoff.closed;
  }
}

/** Milliseconds for an answer that only explains another failure. */
const REFUSAL_MS = 1000;

/**
 * Asks the handoff socket whether the daemon permits this user to connect.
 * @param place As in statusOverHandoff().
 * @returns The daemon's refusal; undefined if it permits the user, or does not answer.
 */
export async function refusalOver(place: PlaceOfSocket): Promise<VkmemError | undefined> {
  try {
    await statusOverHandoff(place, REFUSAL_MS);
  } catch (failure) {
    if (failure instanceof VkmemError && failure.code === 'NOT_PERMITTED') return failure;
  }
  return undefined;
}
