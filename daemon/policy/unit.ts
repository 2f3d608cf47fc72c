/**
 * The systemd unit of a peer, by systemd's own rule for the path of a control group: slices at its beginning
 * are skipped, and the next part is the unit. The rest of the path is ignored: a unit with a delegated
 * subtree (user@1000.service, a container's service) can create groups in it that are named like other units,
 * but its processes belong to that unit.
 *
 * The path is that of the process that connected, read once when its connection is accepted, and only where
 * the policy has rules for units. It is used only where the kernel returned a pidfd with the socket and
 * reports after the read that the process lives: until then the pid belonged to that process. Where the
 * kernel has no SO_PEERPIDFD (before Linux 6.5), /proc hides other processes, or the process is outside the
 * daemon's pid or cgroup namespace, the unit is unknown.
 */
import { readFileSync } from 'node:fs';
import { hasExited, type PeerIdentity } from '@vkmemd/proto';
import { type Identity, makeIdentity } from './identity.js';
import type { Policy } from './policy.js';
import { isUnitName } from './unit-pattern.js';

/** The unit of a control group's path; undefined where the path is in no unit. */
export function unitOfPath(path: string): string | undefined {
  if (!path.startsWith('/')) return undefined;
  const parts = path.split('/').filter((part) => part !== '');
  // systemd prefixes names that clash with the kernel's own files with an underscore.
  const names = parts.map((part) => part.replace(/^_/, ''));
  const unit = names.find((name) => !(name.endsWith('.slice') && isUnitName(name)));
  return unit !== undefined && isUnitName(unit) ? unit : undefined;
}

/**
 * The unit from the text of /proc/PID/cgroup: of the unified hierarchy, or of systemd's own (version 1).
 * Where both have one, they must agree, since systemd writes only one of them.
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
 * What rules can match of a peer. Reads /proc once, and only where the policy has rules for units.
 * @param peer Its pidfd is borrowed.
 */
export function identityOf({ pidfd, ...seen }: PeerIdentity, policy: Policy): Identity {
  const identity = makeIdentity(seen);
  if (!policy.asksForUnits || !pidfd || identity.pid <= 0) return identity;
  try {
    const text = readFileSync(`/proc/${identity.pid}/cgroup`, 'utf8');
    return hasExited(pidfd) ? identity : makeIdentity({ ...seen, unit: unitOf(text) });
  } catch {
    // The process has ended, /proc hides it, or the kernel cannot say whether it lives: its unit is unknown.
    return identity;
  }
}
