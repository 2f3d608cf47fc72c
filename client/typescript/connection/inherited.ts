/**
 * A session that this process inherited: `vkmemctl exec`, or any parent, connected before this program began.
 *
 * The socket is an fd whose number stands in $VKMEM_SESSION_FD; $VKMEM_ALLOCATIONS says which allocations
 * were made for this process, $VKMEM_SESSION_PATH the socket's path, for reconnecting. inheritSession()
 * removes these variables from the environment, so that neither a child nor a second connect() uses the
 * session again. A worker thread has a copy of the environment: there the fd must be named.
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

/** Label -> allocation id. */
export type InheritedAllocations = ReadonlyMap<string, string>;

export interface InheritedSession {
  /** Owned by the receiver. */
  readonly socket: OwnedFd;
  /** Of the handoff socket; undefined where nothing was said. */
  readonly path: string | undefined;
  /** Empty where nothing was said. */
  readonly allocations: InheritedAllocations;
}

/**
 * The places where a session is begun anew, any of which goes before the environment's session; or the fd
 * itself.
 */
export interface InheritOptions {
  readonly sessionFd?: number | undefined;
  readonly handoffSocket?: string | undefined;
  readonly runtimeDir?: string | undefined;
}

/**
 * Takes the session of the environment, or of the fd that is named.
 * @returns undefined where there is none, or another place is named.
 * @throws VkmemError INVALID_ARGUMENT where what is named is no connected session, or the variables mean
 *   nothing; then nothing was taken.
 */
export function inheritSession(options: InheritOptions): InheritedSession | undefined {
  const { sessionFd, handoffSocket, runtimeDir } = options;
  const variable = isMainThread ? process.env[SESSION_FD_VARIABLE] : undefined;
  if (sessionFd === undefined && (!variable || handoffSocket !== undefined || runtimeDir !== undefined))
    return;
  const fd = sessionFd ?? parseFd(variable ?? '');
  const ours = variable !== undefined && (sessionFd === undefined || variable === String(fd));
  const allocations = ours ? parseAllocations(process.env[ALLOCATIONS_VARIABLE]) : new Map<string, string>();
  const path = (ours && process.env[SESSION_PATH_VARIABLE]) || undefined;
  const socket = adopt(fd, ours ? SESSION_FD_VARIABLE : 'sessionFd');
  if (ours) {
    delete process.env[SESSION_FD_VARIABLE];
    delete process.env[ALLOCATIONS_VARIABLE];
    delete process.env[SESSION_PATH_VARIABLE];
  }
  return { socket, path, allocations };
}

function adopt(fd: number, field: string): OwnedFd {
  if (Number.isInteger(fd) && fd >= 0 && fd <= 0x7fffffff) {
    try {
      return adoptSeqpacket(fd);
    } catch (failure) {
      if (!(failure instanceof VkmemError)) throw failure;
      throw wrong(field, `${fd} is no connected session (${failure.reason.replace(/\.$/, '')}).`, failure);
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
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch (cause) {
    throw wrong(ALLOCATIONS_VARIABLE, 'it is not JSON.', cause);
  }
  const isObject = typeof said === 'object' && said !== null && !Array.isArray(said);
  const entries = isObject ? Object.entries(said as object) : [['', undefined]];
  if (entries.every((entry): entry is [string, string] => typeof entry[1] === 'string'))
    return new Map(entries);
  throw wrong(ALLOCATIONS_VARIABLE, 'it is no object of labels and ids.');
}

function wrong(field: string, reason: string, cause?: unknown): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', `${field}: ${reason}`, { field }, cause);
}
