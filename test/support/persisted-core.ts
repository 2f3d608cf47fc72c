/** A core whose state is written to a ledger, with an fd store that counts its fds and keeps none. */
import type { Test } from 'tap';
import type { Core } from 'vkmemd/dist/core.js';
import type { Policy } from 'vkmemd/dist/policy/policy.js';
import type { FdStore } from 'vkmemd/dist/store/fd-store.js';
import { LedgerFile } from 'vkmemd/dist/store/ledger-file.js';
import { StateWriter } from 'vkmemd/dist/store/state-writer.js';
import { StoredFds } from 'vkmemd/dist/store/stored-fds.js';
import type { Device } from 'vkmemd/dist/vulkan/device.js';
import { coreOn } from './core.js';
import { temporaryFolder } from './daemon.js';

/** The limit of fds that the manager passes on. */
const CAPACITY = 16_384;

export class CountedFds implements FdStore {
  readonly capacity = CAPACITY;
  readonly #names = new Map<string, number>();

  get stored(): number {
    return [...this.#names.values()].reduce((sum, count) => sum + count, 0);
  }

  async put(name: string, fds: readonly unknown[]): Promise<void> {
    this.#names.set(name, (this.#names.get(name) ?? 0) + fds.length);
  }

  async remove(name: string): Promise<void> {
    this.#names.delete(name);
  }

  async settled(): Promise<void> {}
  close(): void {}
}

export interface PersistedCore {
  readonly core: Core;
  readonly ledger: LedgerFile;
  readonly store: CountedFds;
}

export function persistedCore(t: Test, device: Device, policy: Policy, faults: string[] = []): PersistedCore {
  const ledger = LedgerFile.open(temporaryFolder(t));
  t.teardown(() => ledger.close());
  const store = new CountedFds();
  const stored = new StoredFds(store, CAPACITY, (what) => faults.push(what));
  const persistence = new StateWriter(ledger, device.info, stored);
  return { core: coreOn(device, { policy, faults, persistence }), ledger, store };
}
