/**
 * The fds that the service manager passed (sd_listen_fds): from 3 on, as many as $LISTEN_FDS says, for the process of
 * $LISTEN_PID alone, with the names of $LISTEN_FDNAMES. Listening sockets come first, then what the fd store kept.
 *
 * It is called once, before anything else opens fds. The variables are removed whatever they say, so that no child takes
 * itself for whom they were meant; each fd is CLOEXEC and has an owner from here on. Several may have one name.
 */
import { closeAll, type OwnedFd, takeInheritedFd, VkmemError } from '@vkmemd/proto';

export type ListenFds = Map<string, OwnedFd[]>;

/** SD_LISTEN_FDS_START. */
const FIRST = 3;
/** As many as an fd can number. */
const MAX = 0x7fffffff - FIRST;
/** Of an fd whose name the manager does not say, and of one that it cannot say. */
export const UNNAMED = 'unknown';

const VARIABLES = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'] as const;

/**
 * Takes them all, by name. None where nothing was passed, or it was meant for another process.
 * @throws VkmemError INVALID_ARGUMENT where the variables make no sense; nothing is open then of what was passed.
 */
export function takeListenFds(env: NodeJS.ProcessEnv, pid: number = process.pid): ListenFds {
  const [forWhom, count, names] = VARIABLES.map((variable) => env[variable]);
  for (const variable of VARIABLES) delete env[variable];
  if (forWhom === undefined || wholeNumber('LISTEN_PID', forWhom) !== pid || count === undefined) {
    return new Map();
  }
  const max = wholeNumber('LISTEN_FDS', count);
  const named = names ? names.split(':') : [];
  if (named.length > max) {
    throw wrong(`LISTEN_FDNAMES has ${named.length} names, and LISTEN_FDS is ${max}.`);
  }
  const taken: OwnedFd[] = [];
  try {
    // From the last on: where there are fewer than was said, nothing has been touched that is somebody else's.
    for (let at = max - 1; at >= 0; at -= 1) {
      taken.unshift(takeInheritedFd(FIRST + at, `passed as ${named[at] || UNNAMED}`));
    }
  } catch (failure) {
    closeAll(taken);
    if (!(failure instanceof VkmemError)) throw failure;
    const fd = FIRST + max - 1 - taken.length;
    throw wrong(`LISTEN_FDS is ${max}, and fd ${fd} is not open.`, failure);
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
  throw wrong(`${variable}=${text} is not a whole number up to ${MAX}.`);
}

function wrong(reason: string, cause?: unknown): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', `${reason} Whoever started this process set it.`, {}, cause);
}
