/**
 * The error of a process that the mode of a socket does not allow to connect: it names the group that may.
 * The policy does not decide about such a process, because the kernel refuses it first.
 */
import { readFileSync, statSync } from 'node:fs';
import { VkmemError } from '../contract/errors.js';

const SHUT = "The socket is open to the daemon's user and group alone.";

/**
 * NOT_PERMITTED for a connection that failed with EACCES or EPERM.
 * @param what The failed call, as a sentence.
 */
export function socketShut(
  path: string,
  what: string,
  metadata: Readonly<Record<string, string>>,
  cause: unknown,
): VkmemError {
  return new VkmemError('NOT_PERMITTED', `${what} ${SHUT}`, { ...metadata }, cause, nextStep(path));
}

function nextStep(path: string): string {
  const gid = groupOf(path);
  if (gid === 0) {
    return 'Ask the operator to give the socket a group other than root: SocketGroup=, or that of the daemon.';
  }
  const name = gid === undefined ? undefined : nameOf(gid);
  const group = name ?? (gid === undefined ? '(vkmem, if the package made it)' : `with the gid ${gid}`);
  const how = `usermod -aG ${name ?? 'GROUP'} USER`;
  return `Ask the operator to add you to the socket's group ${group}: ${how}, then log in again.`;
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
