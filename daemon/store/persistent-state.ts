/**
 * The persistent state of one daemon: its fd store and its ledger. What an earlier daemon persisted is
 * restored, and everything made from now on is persisted.
 */
import { join } from 'node:path';
import { closeAll, type OwnedFd } from '@vkmemd/proto';
import type { MadeBy } from '../vulkan/device.js';
import type { FdStore } from './fd-store.js';
import { LedgerFile } from './ledger-file.js';
import { STATE_FOLDER } from './names.js';
import { Restore, type Restored, type RestoreTargets } from './restore.js';
import { StateWriter } from './state-writer.js';
import { StoredFds } from './stored-fds.js';

export class PersistentState implements AsyncDisposable {
  readonly writer: StateWriter;
  readonly #ledger: LedgerFile;
  readonly #inherited: Map<string, OwnedFd[]>;

  private constructor(ledger: LedgerFile, writer: StateWriter, inherited: Map<string, OwnedFd[]>) {
    this.#ledger = ledger;
    this.writer = writer;
    this.#inherited = inherited;
  }

  /**
   * @param runtimeDir which the daemon has to itself.
   * @param device the present one. @param max fds that the policy lets it put there.
   * @param inherited fds of the fd store, by name; owned from here.
   * @param fault reports a failure that no caller gets.
   * @throws VkmemError LEDGER_UNREADABLE; the fd store still has everything then.
   */
  static open(
    runtimeDir: string,
    device: MadeBy,
    fds: FdStore,
    max: number,
    inherited: Map<string, OwnedFd[]>,
    fault: (what: string, cause: unknown) => void,
  ): PersistentState {
    try {
      const ledger = LedgerFile.open(join(runtimeDir, STATE_FOLDER));
      const { unreadable } = ledger;
      if (unreadable.length > 0) fault('the ledger had records that cannot be read', unreadable);
      const stored = new StoredFds(fds, max, fault);
      return new PersistentState(ledger, new StateWriter(ledger, device, stored), inherited);
    } catch (failure) {
      for (const some of inherited.values()) closeAll(some);
      fds.close();
      throw failure;
    }
  }

  /** Once, before anybody is served. @throws VkmemError DEVICE_LOST, with everything stored as it was. */
  restore(targets: RestoreTargets): Promise<Restored> {
    return new Restore(targets, this.#ledger, this.writer, this.#inherited).run();
  }

  /** Resolves when everything that is to be stored has reached the fd store. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const some of this.#inherited.values()) closeAll(some);
    await this.writer.close();
  }
}
