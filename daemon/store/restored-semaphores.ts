/**
 * Restores semaphores: the device imports the stored fd of each, with the payload that its other holders left.
 *
 * One whose session did not outlive the daemon ends with it. One that the device does not import any more, or that is
 * of another device or driver, is lost: the log names it, and a request that names it gets NOT_FOUND.
 */
import { closeAll, VkmemError } from '@vkmemd/proto';
import type { Reporter } from '../memory/reporter.js';
import type { SemaphoreLifecycle } from '../memory/semaphore/lifecycle.js';
import { tenantOfKey } from '../policy/tenant.js';
import type { Device } from '../vulkan/device.js';
import { type AsideRecords, reasonOf } from './aside-records.js';
import type { InheritedFds } from './inherited-fds.js';
import { otherDevice } from './other-device.js';
import type { SemaphoreRecord } from './records.js';
import type { RestoredSessions } from './restored-sessions.js';
import type { SemaphoreWriter } from './semaphore-writer.js';

/** The parts of the core that semaphores are restored into. */
export interface SemaphoreTargets {
  readonly device: Device;
  readonly semaphoreLifecycle: SemaphoreLifecycle;
  readonly reporter: Reporter;
}

/** The state of the previous daemon. */
interface Found {
  readonly writer: SemaphoreWriter;
  readonly inherited: InheritedFds;
  readonly sessions: RestoredSessions;
  readonly aside: AsideRecords;
}

export class RestoredSemaphores {
  readonly #with: SemaphoreTargets;
  readonly #found: Found;
  /** The names of the fds of all records so far. */
  readonly #names = new Set<string>();

  constructor(targets: SemaphoreTargets, found: Found) {
    this.#with = targets;
    this.#found = found;
  }

  /**
   * Restores a semaphore from its record, or sets the record aside, or removes it.
   * @throws VkmemError DEVICE_LOST; the stored state is then unchanged, and the next start retries.
   */
  async restore(record: SemaphoreRecord): Promise<void> {
    const { aside } = this.#found;
    if (aside.has('sessions', record.owner)) {
      aside.keep(record);
      return;
    }
    try {
      await this.#restore(record);
    } catch (failure) {
      if (failure instanceof VkmemError && failure.code === 'DEVICE_LOST') throw failure;
      aside.add({ table: 'semaphores', id: record.id, value: record, reason: reasonOf(failure) });
    }
  }

  /** @throws VkmemError NAME_TAKEN, DEVICE_LOST; Error if another record has its fd. */
  async #restore(record: SemaphoreRecord): Promise<void> {
    const { device, semaphoreLifecycle, reporter } = this.#with;
    const { writer, inherited, sessions } = this.#found;
    const { id, name: fdName, createdAt, terms, madeBy } = record;
    if (this.#names.has(fdName)) throw new Error(`its fd ${fdName} is also of another record`);
    this.#names.add(fdName);
    const tenant = tenantOfKey(record.tenant);
    const owner = sessions.awake(record.owner, tenant);
    const maker = sessions.awake(record.maker, tenant);
    semaphoreLifecycle.requireFreeName(terms, tenant);
    const [fd, ...more] = inherited.remove(fdName);
    closeAll(more);
    writer.adopt(record, tenant);
    const lost = (why: string) => {
      reporter.note(`semaphore ${terms.name || id} is lost: ${why}`);
      writer.semaphoreEnded(id);
    };
    if (!fd) {
      lost('its stored fd is missing.');
      return;
    }
    const other = otherDevice(device.info, madeBy);
    if (other || (terms.lifetime === 'SESSION' && !owner)) {
      fd.close();
      if (other) lost(other.reason);
      else writer.semaphoreEnded(id);
      return;
    }
    try {
      const made = await device.adoptSemaphore(terms.type, fd);
      semaphoreLifecycle.restore({ ...terms, kind: 'OPAQUE_FD', tenant, owner, maker }, made, {
        id,
        createdAt,
      });
    } catch (failure) {
      if (!(failure instanceof VkmemError) || failure.code === 'DEVICE_LOST') throw failure;
      lost(`the device does not import it: ${failure.reason}`);
    }
  }
}
