/**
 * The fds that the service manager passed (sd_listen_fds): $LISTEN_FDS fds, numbered from 3, for the process
 * $LISTEN_PID, with the names $LISTEN_FDNAMES. Listening sockets come first, then the fds of the fd store.
 *
 * inheritListenFds() is called once, before any other fds are opened. The variables are always removed, so
 * that no child process uses them. Each fd gets CLOEXEC and an owner. Several fds may have the same name.
 */
import { closeAll, inheritFd, type OwnedFd, VkmemError } from '@vkmemd/proto';

export type ListenFds = Map<string, OwnedFd[]>;

/** SD_LISTEN_FDS_START. */
const FIRST = 3;
/** INT_MAX minus the number of the first. */
const MAX = 0x7fffffff - FIRST;
/** The name of an fd without a name, as in sd_listen_fds_with_names(). */
export const UNNAMED = 'unknown';

const VARIABLES = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'] as const;

/**
 * Takes all passed fds. The caller owns them.
 * @param note Receives a note if they were passed to another process.
 * @returns the fds by name; empty if none were passed, or they were passed to another process.
 * @throws VkmemError INVALID_ARGUMENT if the variables are invalid; no fd is taken then.
 */
export function inheritListenFds(
  env: NodeJS.ProcessEnv,
  pid: number = process.pid,
  note: (what: string) => void = () => {},
): ListenFds {
  const [forPid, count, names] = VARIABLES.map((variable) => env[variable]);
  for (const variable of VARIABLES) delete env[variable];
  if (forPid === undefined || count === undefined) return new Map();
  if (wholeNumber('LISTEN_PID', forPid) !== pid) {
    note(
      `LISTEN_PID is ${forPid}, and this process is ${pid}: the passed sockets and fds belong to another process, ` +
        'and are not used. A shell script must start vkmemd with exec.',
    );
    return new Map();
  }
  const max = wholeNumber('LISTEN_FDS', count);
  const named = names ? names.split(':') : [];
  if (named.length > max) {
    throw invalid(`LISTEN_FDNAMES has ${named.length} names, but LISTEN_FDS is ${max}.`);
  }
  const taken: OwnedFd[] = [];
  try {
    // Starts with the last fd: if it is not open, LISTEN_FDS is wrong, and no fd of another owner is taken.
    for (let at = max - 1; at >= 0; at -= 1) {
      taken.unshift(inheritFd(FIRST + at, `passed as ${named[at] || UNNAMED}`));
    }
  } catch (failure) {
    closeAll(taken);
    if (!(failure instanceof VkmemError)) throw failure;
    const fd = FIRST + max - 1 - taken.length;
    throw invalid(`LISTEN_FDS is ${max}, but fd ${fd} is not open.`, failure);
  }
  const found: ListenFds = new Map();
  for (const [at, fd] of taken.entries()) {
    const name = named[at] || UNNAMED;
    found.set(name, [...(found.get(name) ?? []), fd]);
  }
  return found;
}

function wholeNumber(variable: string, text: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : MAX + 1;
  if (value <= MAX) return value;
  throw invalid(`${variable}=${text} is not a whole number up to ${MAX}.`);
}

function invalid(reason: string, cause?: unknown): VkmemError {
  const where = 'The process that started vkmemd has set it.';
  const next = 'Correct it there, or start vkmemd without the variables.';
  return new VkmemError('INVALID_ARGUMENT', `${reason} ${where}`, {}, cause, next);
}
