/**
 * Persists unopened signals: their eventfds in the fd store, and a record with the hash of the secret.
 *
 * The eventfds are stored before the record is written, and the record is removed before them, as those of
 * memory (state-writer.ts). The record is removed before OpenSignal is answered, so that a secret works once:
 * after a kill between the two, the eventfds are lost, which is better than a signal that is opened twice. A
 * signal of a session that ends with this process is not persisted.
 */
import type { OwnedFd } from '@vkmemd/proto';
import { failpoint } from '#failpoint';
import type { Session } from '../memory/session/session.js';
import type { SignalJournal, UnopenedSignal } from '../memory/session/signals.js';
import type { Tenant } from '../policy/tenant.js';
import type { LedgerFile } from './ledger-file.js';
import { KEPT_BY } from './ledger-writes.js';
import { nameOfSignal } from './names.js';
import type { SignalRecord } from './records.js';
import type { StoredFds } from './stored-fds.js';

export class SignalWriter implements SignalJournal {
  readonly #ledger: LedgerFile;
  readonly #fds: StoredFds;
  readonly #begun: (session: Session) => Promise<boolean>;
  /** The names of the stored eventfds, by the hash of the secret. */
  readonly #names = new Map<string, readonly string[]>();

  /** @param begun Persists a session. @returns whether it outlives this process. */
  constructor(ledger: LedgerFile, fds: StoredFds, begun: (session: Session) => Promise<boolean>) {
    this.#ledger = ledger;
    this.#fds = fds;
    this.#begun = begun;
  }

  async signalCreated({ hash, session }: UnopenedSignal, fds: readonly OwnedFd[]): Promise<void> {
    const outlives = await this.#begun(session);
    if (!outlives || session.ended) return;
    const number = this.#fds.nextNumber();
    const names = fds.map((_, index) => nameOfSignal(number, index));
    this.#names.set(hash, names);
    try {
      const { tenant } = session.identity;
      const puts = names.map((name, at) => this.#fds.put(name, tenant, fds.slice(at, at + 1)));
      // Waits for all: the fds are borrowed until they are sent.
      for (const end of await Promise.allSettled(puts)) if (end.status === 'rejected') throw end.reason;
      failpoint('signal:stored');
      // Unless the session has ended meanwhile.
      if (!this.#names.has(hash)) return;
      const record = { hash, session: session.id, names };
      this.#ledger.require(() => this.#ledger.signals.put(hash, record));
    } catch (failure) {
      this.#release(hash);
      throw failure;
    }
    failpoint('signal:written');
  }

  signalOpening(hash: string): void {
    this.#ledger.require(() => this.#ledger.signals.remove(hash), KEPT_BY.ENDS);
    failpoint('signal:opening');
  }

  signalsEnded(hashes: Iterable<string>): void {
    const persisted = [...hashes].filter((hash) => this.#names.has(hash));
    if (persisted.length === 0) return;
    this.#ledger.eventually(() => {
      for (const hash of persisted) this.#ledger.signals.remove(hash);
    });
    for (const hash of persisted) this.#release(hash);
  }

  /** Adopts the stored eventfds of a signal of an earlier daemon. @param tenant Undefined if it is not known. */
  adopt({ hash, names }: SignalRecord, tenant: Tenant | undefined): void {
    this.#names.set(hash, names);
    for (const name of names) this.#fds.adopt(name, tenant, 1);
  }

  #release(hash: string): void {
    for (const name of this.#names.get(hash) ?? []) this.#fds.release(name);
    this.#names.delete(hash);
  }
}
