/**
 * The environment that the supervisor sets for its child: the variables of a service manager (sd_notify,
 * sd_listen_fds, the watchdog), and VKMEMD_SUPERVISOR, the supervisor's pid, by which the child recognizes
 * that it has a supervisor.
 *
 * The supervisor may run an older or a newer version of the daemon. The variable was named VKMEMD_KEEPER
 * before: for one release the supervisor sets both, and the child reads either.
 */
import { endWithParent } from '@vkmemd/proto/kernel';
import type { StoredFd } from './fd-store.js';
import type { Settings } from './settings.js';

const SUPERVISOR_PID = 'VKMEMD_SUPERVISOR';
const OLD_SUPERVISOR_PID = 'VKMEMD_KEEPER';

/** Variables that a manager sets for its service. Those of the supervisor are not passed on to its child. */
const FROM_MANAGER = [
  'NOTIFY_SOCKET',
  'FDSTORE',
  'VKMEMD_FDSTORE_MAX',
  'LISTEN_PID',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'LISTEN_PIDFDID',
  'WATCHDOG_PID',
  'WATCHDOG_USEC',
  'MAINPID',
  SUPERVISOR_PID,
  OLD_SUPERVISOR_PID,
];

/**
 * The child's environment: that of this process, with the supervisor's variables. LISTEN_PID and WATCHDOG_PID
 * are absent, because the child's pid is not known before its start; beginAsChild() sets them.
 */
export function childEnvironment(
  notifySocket: string,
  stored: readonly StoredFd[],
  { max, watchdogMs }: Settings,
): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const name of FROM_MANAGER) delete env[name];
  env[SUPERVISOR_PID] = String(process.pid);
  env[OLD_SUPERVISOR_PID] = String(process.pid);
  env.NOTIFY_SOCKET = notifySocket;
  env.VKMEMD_FDSTORE_MAX = String(max);
  if (watchdogMs !== undefined) env.WATCHDOG_USEC = String(watchdogMs * 1000);
  if (stored.length > 0) {
    env.LISTEN_FDS = String(stored.length);
    env.LISTEN_FDNAMES = stored.map(({ name }) => name).join(':');
  }
  return env;
}

/** Whether a supervisor started this process. */
export function isChild(env: NodeJS.ProcessEnv): boolean {
  return (env[SUPERVISOR_PID] ?? env[OLD_SUPERVISOR_PID]) !== undefined;
}

/**
 * Called first in a child.
 *
 * It makes the child end with its supervisor: PR_SET_PDEATHSIG sends SIGTERM, also if the supervisor is
 * killed. The stored fds are lost with the supervisor, and another supervisor would start another daemon. The
 * supervisor's pid is removed from `env`, and the variables with the child's own pid are set.
 */
export function beginAsChild(env: NodeJS.ProcessEnv): void {
  const supervisor = Number(env[SUPERVISOR_PID] ?? env[OLD_SUPERVISOR_PID]);
  delete env[SUPERVISOR_PID];
  delete env[OLD_SUPERVISOR_PID];
  endWithParent('SIGTERM');
  // The supervisor may have ended before prctl(); then no signal is sent.
  if (process.ppid !== supervisor) process.kill(process.pid, 'SIGTERM');
  const pid = String(process.pid);
  if (env.LISTEN_FDS !== undefined) env.LISTEN_PID = pid;
  if (env.WATCHDOG_USEC !== undefined) env.WATCHDOG_PID = pid;
}
