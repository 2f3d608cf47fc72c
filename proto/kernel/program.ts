/**
 * Replaces this program by another one (execve(2)), in the same process, which inherits the socket of a
 * session and the given fds.
 *
 * The program has the standard streams, the session's fd (blocking, inheritable) and the given fds, and no
 * others. Signals have the state that a new program expects. Two changes that Node.js made and did not record
 * cannot be reverted: signals that were ignored when it started have their default action, and the soft limit
 * of open files equals the hard limit.
 */
import { VkmemError } from '../contract/errors.js';
import { adviceOf } from '../contract/system-fault.js';
import type { OwnedFd } from './fd.js';
import { isKernelError, native } from './native.js';

/** Read before any access to a standard stream, which makes a pipe non-blocking. */
const STANDARD_FLAGS = native.standardFlags();

/** The program to start. */
export interface Program {
  /** A path, or a name that is looked up in this process's $PATH. */
  readonly file: string;
  /**
   * argv[1] and following. Bytes, where an argument is not UTF-8. An argument must not contain a zero byte.
   */
  readonly args: readonly (string | Uint8Array)[];
  /**
   * The whole environment: 'NAME=VALUE', or 'NAME' for this process's value, if it has one. No zero bytes.
   * Default: this process's environment, byte for byte.
   */
  readonly environment?: readonly string[] | undefined;
}

/** The errnos that mean that no such program can be executed. */
const NO_PROGRAM: readonly string[] = ['ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'];

function nextOf(errno: string): string {
  if (NO_PROGRAM.includes(errno)) {
    return 'Check the name of the command, and whether this user may execute it.';
  }
  if (errno === 'E2BIG') return 'Pass fewer or shorter arguments, or a smaller environment.';
  return adviceOf(errno) ?? 'See the call and the errno in the reason.';
}

/**
 * Replaces this program by another one. Work that is in progress is lost.
 * @param session Borrowed. Inherited with the same number, made blocking. Undefined: no session is passed.
 * @param given Borrowed. Inherited with the same numbers; their status flags do not change.
 * @throws VkmemError INVALID_ARGUMENT if the program does not exist or cannot be executed; `metadata.errno`
 *   is the errno of execve() (ENOENT, EACCES). This program then continues, and all its fds except the
 *   standard streams are CLOEXEC.
 */
export function becomeProgram(
  { file, args, environment }: Program,
  session: OwnedFd | undefined,
  given: readonly OwnedFd[] = [],
): never {
  const argv = [file, ...args].map((arg) => (typeof arg === 'string' ? Buffer.from(arg) : arg));
  try {
    const fds = [...(session ? [session] : []), ...given].map(({ fd }) => fd);
    native.becomeProgram(file, argv, environment, fds, STANDARD_FLAGS, session?.fd ?? -1);
  } catch (error) {
    if (!isKernelError(error)) throw error;
    const { syscall, code } = error;
    const reason = `${file.slice(0, 200)}: ${error.message}.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { syscall, errno: code }, error, nextOf(code));
  }
  throw new Error('execve() returned without an error.');
}
