/**
 * The last step of confining a process that the launcher has started (launcher.ts): once all that it needs is
 * loaded, it gives up opening files and executing programs.
 */
import { native } from './native.js';

/**
 * Refuses this process every further open() and execve() in any form, with EACCES, by a seccomp filter for
 * all its threads, including later ones. It cannot be undone. Sets no_new_privs.
 *
 * Open fds, sockets, timers, HTTP/2, crypto, worker threads (`eval`) and the thread pool continue to work.
 * What Node.js reads from files no longer works: import() and require() of modules that are not loaded, other
 * than Node's own; node:fs; name resolution; process.memoryUsage(), os.freemem(), os.cpus() and others that
 * read /proc; the time zone, unless a local time was formatted before; child processes.
 * @throws KernelError from seccomp(): ENOSYS or EPERM where the kernel or a service manager does not allow
 *   filters; ESRCH if a thread has a filter of its own.
 */
export function confine(): void {
  native.confine();
}
