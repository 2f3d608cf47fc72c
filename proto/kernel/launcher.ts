/**
 * The launcher, a program that starts another one confined: for a process that reads what strangers send.
 *
 * Usage: `launcher PROGRAM [ARGUMENT...]`. PROGRAM is a path. It runs in place of the launcher, with the same
 * pid, arguments and environment, and has:
 *
 * - the standard streams and fd 3, and no other fds
 * - no capabilities, and no way to gain any (no_new_privs)
 * - SIGKILL when its parent ends, more precisely the thread that started it; prctl() to change that is refused,
 *   so endWithParent() fails in it
 * - an oom_score_adj that is 500 higher, 1000 at most, so that the kernel ends it before its parent
 * - a niceness that is 5 higher, so that its parent goes first where both want one processor
 * - a seccomp filter: see native/launcher_filter.c. It can read files, start threads and use fds that it was
 *   given or receives. It cannot open files for writing or change the file system, create, connect or accept
 *   sockets, start processes, or send signals to other processes. These fail with EPERM; clone3() and
 *   openat2() with ENOSYS, after which libc uses the older calls. A call of another ABI ends it (SIGSYS).
 *
 * PROGRAM can still be executed again; confine() ends that too.
 */
import { builtFile } from './addon.js';
import { ADDON, native } from './native.js';

/** The exit statuses of the launcher. Any other is that of the program. */
export const LAUNCHER_EXIT = {
  /** No program was named. */
  USAGE: 64,
  /** The program was not started, because it cannot be confined or because the launcher's parent has ended. */
  NOT_CONFINED: 70,
  /** The program cannot be executed. */
  NOT_EXECUTED: 71,
} as const;

/**
 * The path of the launcher. When the launcher fails, it writes one line to standard error, which says what
 * failed and what to do.
 * @throws Error if it is not built. The text says how to build it.
 */
export const launcherPath = (): string =>
  builtFile(ADDON, 'vkmemd_front_launcher', 'program vkmemd_front_launcher').path;

/**
 * From now on, where a user's fds block the threads that close them, its sockets with unread fds are closed by
 * processes (`launcher --close`), which end when they are closed, or with this process.
 * @param program what is started with `--close`, the sockets and, as its standard input, a socket: it writes a byte there
 * once it has started, and ends at the end of that.
 * @throws Error as launcherPath().
 */
export function closeInProcesses(program = launcherPath()): void {
  native.setCloser(program);
}
