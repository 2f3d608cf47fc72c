/**
 * The systemd unit of a peer, derived from the path of its control group by systemd's own rule: slices at the
 * beginning are skipped, and the next part is the unit. The rest of the path is ignored: a unit with a
 * delegated subtree (user@1000.service, a container's service) can create groups in it that are named like
 * other units, but the processes in them belong to the delegating unit.
 *
 * The path of the process that connected is read once, when its connection is accepted, and only if the
 * policy has rules for units. It is used only if the kernel returned a pidfd for the socket's peer and that
 * process still runs after the read: this proves that the pid belonged to it. The unit is unknown if the
 * kernel has no SO_PEERPIDFD (before Linux 6.5), if /proc hides other processes, or if the process is outside
 * the daemon's pid or cgroup namespace.
 */
import { readFileSync } from 'node:fs';
import { hasExited, type PeerIdentity } from '@vkmemd/proto';
import { type Identity, makeIdentity } from './identity.js';
import { isInOurNamespaces } from './namespaces.js';
import type { Policy } from './policy.js';
import { isUnitName } from './unit-pattern.js';

/** The unit of a control group's path; undefined if the path is in no unit. */
export function unitOfPath(path: string): string | undefined {
  if (!path.startsWith('/')) return undefined;
  const parts = path.split('/').filter((part) => part !== '');
  // systemd prefixes an underscore to names that would clash with files of the kernel.
  const names = parts.map((part) => part.replace(/^_/, ''));
  const unit = names.find((name) => !(name.endsWith('.slice') && isUnitName(name)));
  return unit !== undefined && isUnitName(unit) ? unit : undefined;
}

/**
 * The unit from the text of /proc/PID/cgroup: of the unified hierarchy, or of systemd's own hierarchy
 * (version 1). If both contain a unit they must be equal, because systemd manages only one of them.
 */
export function unitOf(text: string): string | undefined {
  const named = text
    .split('\n')
    .map((line) => /^(?:0:|\d+:name=systemd):(\/.*)$/.exec(line)?.[1])
    .filter((path) => path !== undefined)
    .map(unitOfPath)
    .filter((unit) => unit !== undefined);
  return new Set(named).size === 1 ? named[0] : undefined;
}

/**
 * The identity of a peer, for the rules. Reads /proc only if its uid is one of the built-in operators', or the
 * policy has rules for units.
 * @param peer Its pidfd is borrowed.
 */
export function identityOf({ pidfd, ...ids }: PeerIdentity, policy: Policy): Identity {
  const foreign = policy.isOperatorsUid(ids.uid) && !isInOurNamespaces(ids.pid, pidfd);
  const seen = foreign ? { ...ids, foreign } : ids;
  const identity = makeIdentity(seen);
  if (!policy.asksForUnits || !pidfd || identity.pid <= 0) return identity;
  try {
    const text = readFileSync(`/proc/${identity.pid}/cgroup`, 'utf8');
    return hasExited(pidfd) ? identity : makeIdentity({ ...seen, unit: unitOf(text) });
  } catch {
    // The process has ended, /proc hides it, or its state cannot be determined: its unit is unknown.
    return identity;
  }
}
