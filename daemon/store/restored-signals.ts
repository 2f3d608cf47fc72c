/**
 * Restores unopened signals of restored sessions, with the same secrets and eventfds. The signals of a session
 * that did not outlive the daemon end with it.
 */
import { closeAll, type OwnedFd } from '@vkmemd/proto';
import type { Reporter } from '../memory/reporter.js';
import type { Signals } from '../memory/session/signals.js';
import type { AsideRecords } from './aside-records.js';
import type { InheritedFds } from './inherited-fds.js';
import type { SignalRecord } from './records.js';
import type { RestoredSessions } from './restored-sessions.js';
import type { SignalWriter } from './signal-writer.js';

/** The parts of the core that signals are restored into. */
export interface SignalTargets {
  readonly signals: Signals;
  readonly reporter: Reporter;
}

/** The state of the previous daemon. */
interface Found {
  readonly writer: SignalWriter;
  readonly inherited: InheritedFds;
  readonly sessions: RestoredSessions;
  readonly aside: AsideRecords;
}

export class RestoredSignals {
  readonly #with: SignalTargets;
  readonly #found: Found;
  /** The names of the fds of all records so far. */
  readonly #names = new Set<string>();

  constructor(targets: SignalTargets, found: Found) {
    this.#with = targets;
    this.#found = found;
  }

  /** Restores a signal from its record, or sets the record aside, or removes it. */
  restore(record: SignalRecord): void {
    const { aside } = this.#found;
    if (aside.has('sessions', record.session)) aside.keep(record);
    else {
      const { hash } = record;
      aside.guard({ table: 'signals', id: hash, value: record }, () => this.#restore(record));
    }
  }

  /** @throws Error if another record has one of its fds. */
  #restore(record: SignalRecord): void {
    const { hash, names } = record;
    const { writer, sessions } = this.#found;
    for (const [index, name] of names.entries()) {
      const twice = this.#names.has(name) || names.indexOf(name) !== index;
      if (twice) throw new Error(`its fd ${name} is also of another record`);
    }
    for (const name of names) this.#names.add(name);
    const session = sessions.byId(record.session);
    writer.adopt(record, session?.identity.tenant);
    const fds = names.flatMap((name) => this.#removeFd(name));
    if (session && !session.ended && fds.length === names.length) {
      this.#with.signals.restore({ hash, session }, fds);
      return;
    }
    closeAll(fds);
    writer.signalsEnded([hash]);
    if (!session) return;
    this.#with.reporter.note(`a signal of session ${session.id} was not restored: stored fds are missing`);
  }

  #removeFd(name: string): OwnedFd[] {
    const [fd, ...more] = this.#found.inherited.remove(name);
    closeAll(more);
    return fd ? [fd] : [];
  }
}
