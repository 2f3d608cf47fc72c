/**
 * Survival: the fd store and the ledger of one daemon, joined: what was kept before is restored, and what there is from
 * now on is kept, until the daemon ends; or there is no fd store, and nothing outlives the daemon.
 */
import { join } from 'node:path';
import { closeAll, type OwnedFd } from '@vkmemd/proto';
import type { Domain } from '../memory/domain.js';
import type { MadeBy } from '../vulkan/device.js';
import type { FdStore } from './fd-store.js';
import { LedgerFile } from './ledger-file.js';
import { Restore, type Restored } from './restore.js';
import { STATE_FOLDER } from './state-folder.js';
import { StateWriter } from './state-writer.js';
import { StoredFds } from './stored-fds.js';

export class PersistentState {
  readonly keeping: StateWriter;
  readonly #ledger: LedgerFile;
  readonly #handed: Map<string, OwnedFd[]>;

  private constructor(ledger: LedgerFile, keeping: StateWriter, handed: Map<string, OwnedFd[]>) {
    this.#ledger = ledger;
    this.keeping = keeping;
    this.#handed = handed;
  }

  /**
   * @param runtimeDir which the daemon has to itself.
   * @param device that there is now. @param max fds that the policy lets it put there.
   * @param handed what the fd store handed back, by name; taken.
   * @param fault tells of what nobody is there to be told of.
   * @throws VkmemError LEDGER_UNREADABLE; the fd store still has everything then.
   */
  static open(
    runtimeDir: string,
    device: MadeBy,
    fds: FdStore,
    max: number,
    handed: Map<string, OwnedFd[]>,
    fault: (what: string, cause: unknown) => void,
  ): PersistentState {
    try {
      const ledger = LedgerFile.open(join(runtimeDir, STATE_FOLDER));
      const stored = new StoredFds(fds, max, fault);
      return new PersistentState(ledger, new StateWriter(ledger, device, stored), handed);
    } catch (failure) {
      for (const some of handed.values()) closeAll(some);
      fds.close();
      throw failure;
    }
  }

  /** Once, before anybody is served. @throws VkmemError DEVICE_LOST, with everything kept as it was. */
  restore(domain: Domain): Promise<Restored> {
    return new Restore(domain, this.#ledger, this.keeping, this.#handed).run();
  }

  /** Resolves when everything that was said has reached who keeps it. */
  async close(): Promise<void> {
    for (const some of this.#handed.values()) closeAll(some);
    await this.keeping.close();
  }
}
