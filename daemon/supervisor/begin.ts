/**
 * The first thing that a child of the keeper does, before anything else is loaded: its part of how it was started.
 *
 * It ends with its keeper, which a daemon must: what it stored is gone with that one, and another keeper starts another
 * daemon. The kernel sees to it (PR_SET_PDEATHSIG: SIGTERM, as if it were stopped), even if the keeper was killed.
 *
 * The variables of a service manager that name a process are filled in, since the keeper could not know the number of a
 * process that it had still to start. VKMEMD_KEEPER, by which a child knows that it is one, goes.
 */
import { endWithParent } from '@vkmemd/proto/kernel';

export function beginAsChild(env: NodeJS.ProcessEnv): void {
  const keeper = Number(env.VKMEMD_KEEPER);
  delete env.VKMEMD_KEEPER;
  endWithParent('SIGTERM');
  // It may have ended before the kernel was asked.
  if (process.ppid !== keeper) process.kill(process.pid, 'SIGTERM');
  const pid = String(process.pid);
  if (env.LISTEN_FDS !== undefined) env.LISTEN_PID = pid;
  if (env.WATCHDOG_USEC !== undefined) env.WATCHDOG_PID = pid;
}
