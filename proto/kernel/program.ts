/**
 * Another program in the place of this one: the same process, with the socket of a session, the fds that it is given, and
 * nothing else of ours.
 *
 * The program has the standard streams, the session's fd (blocking, inheritable), those and no other; signals are as a
 * program expects them. What Node.js keeps no note of stays as it made it: signals that were ignored when it began are
 * at their default, and the soft limit of open files is at the hard one.
 */
import { VkmemError } from '../contract/errors.js';
import type { OwnedFd } from './fd.js';
import { isKernelError, native } from './native.js';

/** As they were before anything here could look at a standard stream, which makes a pipe non-blocking. */
const STANDARD_FLAGS = native.standardFlags();

export interface Program {
  /** A path, or a name to be looked for in $PATH of this process. */
  readonly file: string;
  /** From argv[1] on; bytes where they need not be UTF-8. No zero bytes, here and below. */
  readonly args: readonly (string | Uint8Array)[];
  /**
   * All of it: 'NAME=VALUE', or 'NAME' for what this process has by that name, if anything. Default: this process's,
   * byte for byte.
   */
  readonly environment?: readonly string[] | undefined;
}

/**
 * Ends this program and begins the other. Whatever is in flight here is lost.
 * @param session is inherited, under the number that it has; borrowed. @param given the same; their flags stay as they are.
 * @throws VkmemError INVALID_ARGUMENT where there is no such program, or it cannot be run; `metadata.errno` says why (as
 *   execve: ENOENT, EACCES). This program goes on then, with every fd but the standard ones CLOEXEC.
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
