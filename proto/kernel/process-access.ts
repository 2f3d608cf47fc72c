/**
 * Which other processes of the same user have access to this process.
 */
import { native } from './native.js';

/**
 * With `false`, refuses other processes of the same user access to this one (PR_SET_DUMPABLE, prctl(2)). They
 * cannot trace it (ptrace, process_vm_readv), copy its fds (pidfd_getfd), or read its /proc/PID/mem, maps,
 * environ, fd, fdinfo, root and cwd, which belong to root now; EACCES or EPERM. The kernel writes no core
 * dump of it. A process with CAP_SYS_PTRACE still has access.
 *
 * These continue to work: this process's own /proc/self, except files that only their owner may read or write
 * (environ, mem, io, auxv; writing oom_score_adj), unless it is root; for others /proc/PID/stat, status,
 * cmdline and cgroup, pidfd_open(), signals, and SO_PEERCRED. Programs that this process executes are
 * dumpable again.
 * @throws KernelError from prctl().
 */
export function setDumpable(dumpable: boolean): void {
  native.setDumpable(dumpable);
}
