/**
 * The error of a process that the mode of a socket does not allow to connect: it names the group that may.
 * The policy does not decide about such a process, because the kernel refuses it first.
 */
import { readFileSync, statSync } from 'node:fs';
import { VkmemError } from '../contract/errors.js';

const SHUT = "The socket is open to the daemon's user and group alone.";
/** The gid of groups that a user namespace does not map (/proc/sys/kernel/overflowgid). */
const OVERFLOW_GID = 65_534;

/**
 * Adds who may connect to the error of a connect() that failed with EACCES or EPERM.
 * @param failure Of connectError(). Any other error is returned as it is.
 */
export function socketShut(path: string, failure: VkmemError): VkmemError {
  const { code, reason, metadata, cause } = failure;
  if (code !== 'NOT_PERMITTED' || metadata.syscall !== 'connect') return failure;
  const gid = groupOf(path);
  const [why, next] = gid === undefined ? noWay(path) : [SHUT, nextStep(gid)];
  return new VkmemError(code, `${reason} ${why}`, { ...metadata }, cause, next);
}

const noWay = (path: string) =>
  [
    `A folder of ${path} cannot be entered.`,
    'Ask the operator for a runtime folder that you may enter, or check the path.',
  ] as const;

/** The gid is that of this process's namespace: a name is only given where this host has one for it. */
function nextStep(gid: number): string {
  if (gid === 0) {
    return 'Ask the operator to give the socket a group other than root: SocketGroup=, or that of the daemon.';
  }
  if (process.getegid?.() === gid || process.getgroups?.().includes(gid)) {
    return `You are in the socket's group (gid ${gid}): a security module of this host, such as AppArmor, may refuse.`;
  }
  if (gid === OVERFLOW_GID) return "Ask the operator to add you to the socket's group on the host.";
  const name = nameOf(gid);
  if (name === undefined) return `Ask the operator to add you to the socket's group with the gid ${gid}.`;
  return `Ask the operator to add you to the socket's group ${name} (gid ${gid}): usermod -aG ${name} USER, then log in again.`;
}

/** Undefined if a folder of the path cannot be entered. */
function groupOf(path: string): number | undefined {
  try {
    return statSync(path).gid;
  } catch {
    return undefined;
  }
}

/** The group's name; undefined if the host does not list it in /etc/group. */
function nameOf(gid: number): string | undefined {
  try {
    const lines = readFileSync('/etc/group', 'utf8').split('\n');
    return lines.map((line) => line.split(':')).find(([, , id]) => id === String(gid))?.[0];
  } catch {
    return undefined;
  }
}
