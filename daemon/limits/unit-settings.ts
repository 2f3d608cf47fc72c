/**
 * vkmemd --unit-settings: what a unit of systemd has to give the daemon so that the policy's limits can be reached, as the
 * text of a drop-in. `systemd/vkmemd-generator` has systemd take it wherever it reads its units.
 *
 * Nothing is less than the units say themselves (SHIPPED), and of stored fds that is the most that a policy may say:
 * systemd lets go of what it keeps beyond a lower number, so no change of the policy, and no fault in it, may lower it.
 */
import { FDS_OF_SESSION } from './fd-budget.js';
import { MIN_IN_FLIGHT } from './in-flight-fds.js';

/** Settings of systemd/vkmemd.service and of its template. */
export const SHIPPED = { storedFds: 16_384, openFiles: 131_072 };
/** fs.nr_open, as the kernel has it from the beginning: with a larger LimitNOFILE= a service does not start. */
const MAX_OPEN_FILES = 1 << 20;
/** What is open besides: addons, driver, sockets, requests under way. */
const OTHER_FILES = 4096;

/** Of the policy's limits, those that a unit has to do with. */
export interface SizingLimits {
  readonly sessions: number;
  readonly storedFds: number;
  readonly reservedFds: number;
}

/** LimitNOFILE= for these limits. */
export function openFilesFor({ sessions, storedFds, reservedFds }: SizingLimits): number {
  // A session may have sent an fd in besides; what is stored is open here as well.
  const open = sessions * (FDS_OF_SESSION + 1) + storedFds * 2 + reservedFds + OTHER_FILES;
  const wanted = Math.max(open, sessions * MIN_IN_FLIGHT, SHIPPED.openFiles);
  return Math.min(Math.ceil(wanted / 1024) * 1024, MAX_OPEN_FILES);
}

/** The drop-in, to stand in UNIT.service.d. */
export function unitSettingsText(limits: SizingLimits): string {
  return [
    "# Sized by vkmemd's policy: made by vkmemd --unit-settings.",
    '[Service]',
    `FileDescriptorStoreMax=${SHIPPED.storedFds}`,
    `Environment=VKMEMD_FDSTORE_MAX=${SHIPPED.storedFds}`,
    `LimitNOFILE=${openFilesFor(limits)}`,
  ].join('\n');
}
