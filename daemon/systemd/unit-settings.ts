/**
 * vkmemd --unit-settings: what a unit of systemd has to give the daemon so that the policy's limits can be reached, as the
 * text of a drop-in. `systemd/vkmemd-generator` has systemd take it wherever it reads its units.
 *
 * Nothing is less than the units say themselves (SHIPPED): systemd lets go of what it keeps beyond a lower number.
 */
import { FDS_OF_SESSION } from '../limits/fd-budget.js';
import { LEAST_IN_FLIGHT } from '../limits/flight.js';
import type { Limits } from '../policy/limits.js';

/** Settings of systemd/vkmemd.service and of its template. */
export const SHIPPED = { storedFds: 8192, openFiles: 65_536 };
/** fs.nr_open, as the kernel has it from the beginning: with a larger LimitNOFILE= a service does not start. */
const MOST_OPEN_FILES = 1 << 20;
/** What is open besides: addons, driver, sockets, requests under way. */
const OTHER_FILES = 4096;

export interface UnitSettings {
  /** FileDescriptorStoreMax=. */
  readonly storedFds: number;
  /** LimitNOFILE=. */
  readonly openFiles: number;
}

export function unitSettings({ sessions, storedFds, reservedFds }: Limits): UnitSettings {
  // A session may have sent an fd in besides; what is stored is open here as well.
  const open = sessions * (FDS_OF_SESSION + 1) + storedFds * 2 + reservedFds + OTHER_FILES;
  const wanted = Math.max(open, sessions * LEAST_IN_FLIGHT, SHIPPED.openFiles);
  const openFiles = Math.min(Math.ceil(wanted / 1024) * 1024, MOST_OPEN_FILES);
  return { storedFds: Math.max(storedFds, SHIPPED.storedFds), openFiles };
}

/** The drop-in, to stand in UNIT.service.d. */
export function unitSettingsText(limits: Limits): string {
  const { storedFds, openFiles } = unitSettings(limits);
  return [
    "# Sized by vkmemd's policy: made by vkmemd --unit-settings.",
    '[Service]',
    `FileDescriptorStoreMax=${storedFds}`,
    `Environment=VKMEMD_FDSTORE_MAX=${storedFds}`,
    `LimitNOFILE=${openFiles}`,
  ].join('\n');
}
