/**
 * A session that this process inherited: `vkmemctl exec`, or another parent, connected before this program
 * started.
 *
 * $VKMEM_SESSION_FD has the number of the socket's fd, $VKMEM_ALLOCATIONS the allocations that were created
 * for this process, and $VKMEM_SESSION_PATH the path of the socket, for reconnecting. inheritSession()
 * removes these variables from the environment, so that neither a child nor a second connect() uses the
 * session. A worker thread has a copy of the environment, so it must pass the fd explicitly.
 */
import { isMainThread } from 'node:worker_threads';
import {
  ALLOCATIONS_VARIABLE,
  adoptSeqpacket,
  type OwnedFd,
  SESSION_FD_VARIABLE,
  SESSION_PATH_VARIABLE,
  VkmemError,
} from '@vkmemd/proto';
import type { PlaceOfSocket } from './discovery.js';

/** The ids of the allocations that were created for this process, by label. */
export type InheritedAllocations = ReadonlyMap<string, string>;

export interface InheritedSession {
  /** Owned by the caller. */
  readonly socket: OwnedFd;
  /** The path of the handoff socket; undefined if the environment does not have it. */
  readonly path: string | undefined;
  /** Empty if the environment has none. */
  readonly allocations: InheritedAllocations;
}

/**
 * The fd of an inherited session; or the place of a new session, which takes precedence over the session in
 * the environment.
 */
export interface InheritOptions extends PlaceOfSocket {
  readonly sessionFd?: number | undefined;
}

/**
 * Takes the session of `sessionFd`, or the one in the environment.
 * @returns Undefined if there is none, or the options name the place of a new session.
 * @throws VkmemError INVALID_ARGUMENT if the fd is not a connected session, or the variables are invalid.
 *   Then nothing is taken.
 */
export function inheritSession(options: InheritOptions): InheritedSession | undefined {
  const { sessionFd, handoffSocket, runtimeDir, device } = options;
  const variable = isMainThread ? process.env[SESSION_FD_VARIABLE] : undefined;
  const elsewhere = handoffSocket !== undefined || runtimeDir !== undefined || device !== undefined;
  if (sessionFd === undefined && (!variable || elsewhere)) return;
  const fd = sessionFd ?? parseFd(variable ?? '');
  const ours = variable !== undefined && (sessionFd === undefined || variable === String(fd));
  const allocations = ours ? parseAllocations(process.env[ALLOCATIONS_VARIABLE]) : new Map<string, string>();
  const path = (ours && process.env[SESSION_PATH_VARIABLE]) || undefined;
  const socket = adopt(fd, ours ? SESSION_FD_VARIABLE : OPTION);
  if (ours) {
    delete process.env[SESSION_FD_VARIABLE];
    delete process.env[ALLOCATIONS_VARIABLE];
    delete process.env[SESSION_PATH_VARIABLE];
  }
  return { socket, path, allocations };
}

const OPTION = 'sessionFd';
const PASS_FDS = 'Start this program with the fd open (Python: pass_fds or close_fds=False)';

function adopt(fd: number, field: string): OwnedFd {
  if (Number.isInteger(fd) && fd >= 0 && fd <= 0x7fffffff) {
    try {
      return adoptSeqpacket(fd);
    } catch (failure) {
      if (!(failure instanceof VkmemError)) throw failure;
      const closed =
        failure.metadata.errno === 'EBADF' ? ' The program that started this one has closed it.' : '';
      const what = `${fd} is not a connected session (${failure.reason.replace(/\.$/, '')}).`;
      throw wrong(field, `${what}${closed}`, failure, closed ? PASS_FDS : undefined);
    }
  }
  throw wrong(field, `${fd} is not an fd.`);
}

function parseFd(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw wrong(SESSION_FD_VARIABLE, `${JSON.stringify(text)} is not the number of an fd.`);
}

function parseAllocations(text: string | undefined): InheritedAllocations {
  if (!text) return new Map();
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw wrong(ALLOCATIONS_VARIABLE, 'the value is not JSON.', cause);
  }
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  const entries = isObject ? Object.entries(parsed as object) : [['', undefined]];
  if (entries.every((entry): entry is [string, string] => typeof entry[1] === 'string'))
    return new Map(entries);
  throw wrong(ALLOCATIONS_VARIABLE, 'the value is not an object of labels and ids.');
}

/** @param how What to do; by default, what sets the field to a session. */
function wrong(field: string, reason: string, cause?: unknown, how?: string): VkmemError {
  const [session, omit] =
    field === OPTION
      ? ['Pass the fd of a session', 'omit sessionFd']
      : ['Start this program with vkmemctl exec', 'unset the variables'];
  const next = `${how ?? session}, or ${omit} to connect anew.`;
  return new VkmemError('INVALID_ARGUMENT', `${field}: ${reason}`, { field }, cause, next);
}
