/**
 * Replacing this program by another one (execve(2)): the same process, with the socket of a session and given
 * fds.
 *
 * The program has the standard streams, the session's fd (blocking, inheritable), the given fds and no
 * others; signals are reset as a new program expects them. Changes that Node.js made and did not record stay:
 * signals that were ignored when it started have their default action, and the soft limit of open files is
 * raised to the hard limit.
 */
import { VkmemError } from '../contract/errors.js';
import type { OwnedFd } from './fd.js';
import { isKernelError, native } from './native.js';

/** Read before any access to a standard stream, which makes a pipe non-blocking. */
const STANDARD_FLAGS = native.standardFlags();

export interface Program {
  /** A path, or a name that is looked up in this process's $PATH. */
  readonly file: string;
  /** argv[1] and following; bytes where they need not be UTF-8. No zero bytes, here and below. */
  readonly args: readonly (string | Uint8Array)[];
  /**
   * The whole environment: 'NAME=VALUE', or 'NAME' for this process's value, if it has one. Default: this
   * process's environment, byte for byte.
   */
  readonly environment?: readonly string[] | undefined;
}

/**
 * Replaces this program by the other. Work that is under way here is lost.
 * @param session Borrowed; inherited under its number.
 * @param given The same; their flags stay as they are.
 * @throws VkmemError INVALID_ARGUMENT where the program does not exist or cannot be run; `metadata.errno` is
 *   execve's (ENOENT, EACCES). This program then continues, with every fd but the standard ones CLOEXEC.
 */
export function becomeProgram(
  { file, args, environment }: Program,
  session: OwnedFd,
  given: readonly OwnedFd[] = [],
): never {
  const argv = [file, ...args].map((arg) => (typeof arg === 'string' ? Buffer.from(arg) : arg));
  try {
    const fds = [session, ...given].map(({ fd }) => fd);
    native.becomeProgram(file, argv, environment, fds, STANDARD_FLAGS);
  } catch (error) {
    if (!isKernelError(error)) throw error;
    const { syscall, code } = error;
    throw new VkmemError('INVALID_ARGUMENT', `${file}: ${error.message}.`, { syscall, errno: code }, error);
  }
  throw new Error('exec returned.');
}
