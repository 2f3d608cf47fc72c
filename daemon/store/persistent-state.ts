/**
 * The persistent state of one daemon: its fd store and its ledger. restore() restores the state of the
 * previous daemon; `writer` persists everything that is created from now on.
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
   * @param runtimeDir The runtime folder, which no other daemon uses.
   * @param device The current device and driver.
   * @param fds Taken, also on failure.
   * @param max The maximum number of stored fds that the policy allows (stored_fds).
   * @param inherited The fds of the fd store, by name. Taken, also on failure.
   * @param fault Reports a failure that no caller receives.
   * @throws VkmemError LEDGER_UNREADABLE; the manager then still stores all fds.
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
      const stored = new StoredFds(fds, max, fault);
      return new PersistentState(ledger, new StateWriter(ledger, device, stored), inherited);
    } catch (failure) {
      for (const some of inherited.values()) closeAll(some);
      fds.close();
      throw failure;
    }
  }

  /**
   * Restores the state of the previous daemon. Called once, before clients are served.
   * @throws VkmemError DEVICE_LOST; the stored state is then unchanged.
   */
  restore(targets: RestoreTargets): Promise<Restored> {
    return new Restore(targets, this.#ledger, this.writer, this.#inherited).run();
  }

  /** Closes the state. Resolves when the fd store has processed all messages. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const some of this.#inherited.values()) closeAll(some);
    await this.writer.close();
  }
}
