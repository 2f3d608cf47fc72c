/**
 * Persists semaphores: the OPAQUE_FD in the fd store, and a record.
 *
 * The fd is stored before the record is written, and the record is removed before the fd, as those of memory
 * (state-writer.ts). A semaphore of a session that ends with this process is not persisted.
 */
import type { OwnedFd } from '@vkmemd/proto';
import { failpoint } from '#failpoint';
import type { SemaphoreJournal } from '../memory/semaphore/lifecycle.js';
import type { Semaphore } from '../memory/semaphore/semaphore.js';
import type { Session } from '../memory/session/session.js';
import type { Tenant } from '../policy/tenant.js';
import type { MadeBy } from '../vulkan/device.js';
import type { LedgerFile } from './ledger-file.js';
import { KEPT_BY } from './ledger-writes.js';
import { nameOfSemaphore } from './names.js';
import { type SemaphoreRecord, semaphoreRecordOf } from './records.js';
import type { StoredFds } from './stored-fds.js';

export class SemaphoreWriter implements SemaphoreJournal {
  readonly #ledger: LedgerFile;
  readonly #fds: StoredFds;
  readonly #device: MadeBy;
  readonly #begun: (session: Session) => Promise<boolean>;
  /** The names of the stored fds, by the semaphore's id. */
  readonly #names = new Map<string, string>();

  /** @param begun Persists a session. @returns whether it outlives this process. */
  constructor(
    ledger: LedgerFile,
    fds: StoredFds,
    device: MadeBy,
    begun: (session: Session) => Promise<boolean>,
  ) {
    this.#ledger = ledger;
    this.#fds = fds;
    this.#device = device;
    this.#begun = begun;
  }

  async semaphoreCreated(semaphore: Semaphore, fd: OwnedFd): Promise<boolean> {
    const { id, terms } = semaphore;
    const { owner, maker, tenant } = terms;
    if (maker) await this.#begun(maker);
    const outlives = owner ? await this.#begun(owner) : true;
    if (!outlives || semaphore.state !== 'LIVE') return false;
    const name = nameOfSemaphore(this.#fds.nextNumber());
    this.#names.set(id, name);
    try {
      await this.#fds.put(name, tenant, [fd]);
      failpoint('semaphore:stored');
      // Unless it has ended meanwhile.
      if (!this.#names.has(id)) return false;
      const record = semaphoreRecordOf(semaphore, this.#device, name);
      this.#ledger.require(() => this.#ledger.semaphores.put(id, record));
    } catch (failure) {
      this.#release(id);
      throw failure;
    }
    failpoint('semaphore:written');
    return true;
  }

  semaphoreEnding(id: string): void {
    if (!this.#names.has(id)) return;
    this.#ledger.require(() => this.#ledger.semaphores.remove(id), KEPT_BY.ENDS);
    failpoint('semaphore:ending');
  }

  semaphoreEnded(id: string): void {
    if (!this.#names.has(id)) return;
    this.#ledger.eventually(() => this.#ledger.semaphores.remove(id));
    this.#release(id);
  }

  /** Adopts the stored fd of a semaphore of an earlier daemon. */
  adopt({ id, name }: SemaphoreRecord, tenant: Tenant): void {
    this.#names.set(id, name);
    this.#fds.adopt(name, tenant, 1);
  }

  #release(id: string): void {
    const name = this.#names.get(id);
    this.#names.delete(id);
    if (name !== undefined) this.#fds.release(name);
  }
}
