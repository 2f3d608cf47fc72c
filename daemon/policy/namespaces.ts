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

/** What is read once: this process never leaves its namespaces. A failed read is repeated. */
function once<T>(read: () => T): () => T {
  let result: { readonly value: T } | undefined;
  return () => {
    result ??= { value: read() };
    return result.value;
  };
}

const ownPids = once(() => pidsOf('self'));
const ownLinks = once(() => linksOf('self'));
const ownUidMap = once(() => uidMapOf('self'));

/** Undefined where this process may not read the links. */
function sameLinks(pid: number): boolean | undefined {
  try {
    return linksOf(pid) === ownLinks();
  } catch {
    return undefined;
  }
}

/** @throws Error if /proc does not show the process. */
function inOurs(pid: number): boolean {
  // In a /proc of another pid namespace the number is that of another process.
  const [own, ...below] = ownPids();
  if (own !== String(process.pid) || below.length > 0) return false;
  return sameLinks(pid) ?? (pidsOf(pid).length === 1 && uidMapOf(pid) === ownUidMap());
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
