/**
 * Whether a peer is in the user and pid namespaces of the daemon. Elsewhere the same uid is another user: root of a
 * container is not root of the host, even without a user namespace of its own.
 *
 * The links in /proc/PID/ns answer that where the daemon may read them (ptrace access). Otherwise `NSpid` of
 * /proc/PID/status and uid_map do, which need no privilege. Where /proc does not show a process, it counts as one of
 * another namespace.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { hasExited, type OwnedFd } from '@vkmemd/proto';

const NAMESPACES = ['user', 'pid'] as const;

const linksOf = (pid: number | 'self'): string =>
  NAMESPACES.map((name) => readlinkSync(`/proc/${pid}/ns/${name}`)).join();

/** Its pids: in the namespace of this /proc first, then in each one below. */
function pidsOf(pid: number | 'self'): string[] {
  const [, pids = ''] = /^NSpid:\s*(.+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return pids.split(/\s+/);
}

const uidMapOf = (pid: number | 'self'): string => readFileSync(`/proc/${pid}/uid_map`, 'utf8');

/** What /proc says of this process. It never leaves its namespaces, so that is read once. */
interface Own {
  /** Whether its numbers of processes are those of this pid namespace. */
  readonly numbered: boolean;
  readonly links: string;
  readonly uidMap: string;
}

let read: Own | undefined;

/** @throws Error if /proc does not show this process. */
function ownNamespaces(): Own {
  if (read) return read;
  const [first, ...below] = pidsOf('self');
  const numbered = first === String(process.pid) && below.length === 0;
  read = { numbered, links: linksOf('self'), uidMap: uidMapOf('self') };
  return read;
}

/** Undefined where this process may not read the links of the other one. */
function sameLinks(pid: number, own: Own): boolean | undefined {
  try {
    return linksOf(pid) === own.links;
  } catch {
    return undefined;
  }
}

/** @throws Error if /proc does not show the process. */
function inOurs(pid: number): boolean {
  const own = ownNamespaces();
  // In a /proc of another pid namespace the number is that of another process.
  if (!own.numbered) return false;
  return sameLinks(pid, own) ?? (pidsOf(pid).length === 1 && uidMapOf(pid) === own.uidMap);
}

/**
 * Reads /proc. A process that has ended, or whose pid is reused, is not one of ours.
 * @param pid In this pid namespace; 0 for a process outside of it.
 * @param pidfd Borrowed. Without one (before Linux 6.5) the process with that pid now is the one that is looked at.
 */
export function isInOurNamespaces(pid: number, pidfd: OwnedFd | undefined): boolean {
  if (pid <= 0) return false;
  try {
    return inOurs(pid) && (pidfd === undefined || !hasExited(pidfd));
  } catch {
    return false;
  }
}
