/**
 * The systemd unit of a peer, by the rule that systemd itself has for a control group's path: slices at its beginning
 * are passed over, and what comes next is the unit. Everything below is the unit's own affair: whoever was delegated
 * a subtree (user@1000.service, a container's service) can make groups in it that are called like other units, and
 * is still what it was delegated to.
 *
 * The path is that of the process that connected, read once when its connection is accepted, and only where the
 * policy asks for units. It is believed only where the kernel gave a pidfd with the socket and says after the reading
 * that the process lives: until then its pid was nobody else's. Where the kernel has no SO_PEERPIDFD (before Linux
 * 6.5), /proc hides other processes, or the process is outside the daemon's pid or cgroup namespace, no unit is known.
 */
import { readFileSync } from 'node:fs';
import { hasExited, type PeerIdentity } from '@vkmemd/proto';
import type { Identity } from './identity.js';
import type { Policy } from './policy.js';

const TYPES = 'service|socket|target|device|mount|automount|swap|timer|path|slice|scope';
/** A unit's name, of an instance or of none; a template (name@.service) runs nothing. */
const UNIT = new RegExp(`^(?=.{1,255}$)[A-Za-z0-9:_.\\\\-]+(@[A-Za-z0-9:_.\\\\@-]+)?\\.(${TYPES})$`);
const CHARACTERS = /^[A-Za-z0-9:_.\\@*?-]{1,255}$/;

/** A pattern over the whole name of a unit: `*` stands for any characters, `?` for one. */
export class UnitPattern {
  readonly text: string;
  readonly #expression: RegExp;

  private constructor(text: string) {
    this.text = text;
    const literal = text.replace(/[.\\+^${}()|[\]]/g, '\\$&');
    this.#expression = new RegExp(`^${literal.replace(/\*+/g, '.*').replaceAll('?', '.')}$`);
  }

  /** Undefined where the text has characters that no unit's name has. */
  static of(text: string): UnitPattern | undefined {
    return CHARACTERS.test(text) ? new UnitPattern(text) : undefined;
  }

  test(unit: string): boolean {
    return this.#expression.test(unit);
  }

  /** Whether surely no unit's name fits: all of them end with their type. */
  get neverFits(): boolean {
    const end = /[^*?]*$/.exec(this.text)?.[0] ?? '';
    if (end === this.text) return !UNIT.test(end);
    return !TYPES.split('|').some((type) => end.endsWith(`.${type}`) || `.${type}`.endsWith(end));
  }
}

/** The unit of a control group's path; undefined where it is in none. */
export function unitOfPath(path: string): string | undefined {
  if (!path.startsWith('/')) return undefined;
  const parts = path.split('/').filter((part) => part !== '');
  // systemd puts an underscore before what the kernel would take for a file of its own.
  const names = parts.map((part) => part.replace(/^_/, ''));
  const unit = names.find((name) => !(name.endsWith('.slice') && UNIT.test(name)));
  return unit !== undefined && UNIT.test(unit) ? unit : undefined;
}

/**
 * The unit by the text of /proc/PID/cgroup: of the unified hierarchy, or of systemd's own in version 1. Where both
 * name one they must agree, since only one of them is systemd's to write.
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
 * What rules can match of a peer. One short reading of /proc, and only where the policy asks for it.
 * @param peer Its pidfd is borrowed.
 */
export function identityOf({ pidfd, ...identity }: PeerIdentity, policy: Policy): Identity {
  if (!policy.asksForUnits || !pidfd || identity.pid <= 0) return identity;
  try {
    const text = readFileSync(`/proc/${identity.pid}/cgroup`, 'utf8');
    return hasExited(pidfd) ? identity : { ...identity, unit: unitOf(text) };
  } catch {
    // It is gone, or hidden from us, or the kernel cannot say whether it lives: either way its unit is not known.
    return identity;
  }
}
