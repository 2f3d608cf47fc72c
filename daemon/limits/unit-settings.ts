/**
 * vkmemd --unit-settings: the settings of a systemd unit with which the policy's limits can be reached, as
 * the text of a drop-in. `systemd/vkmemd-generator` writes it where systemd reads its units.
 *
 * No setting is lower than in the shipped units (SHIPPED), and that of stored fds is the most that a policy
 * may set: systemd closes the fds that it stores beyond a lowered limit, so no change of the policy, and no
 * fault in it, may lower it.
 */
import { FDS_OF_SESSION } from './fd-budget.js';
import { MIN_IN_FLIGHT } from './in-flight-fds.js';

/** Settings of systemd/vkmemd.service and of its template. */
export const SHIPPED = { storedFds: 16_384, openFiles: 131_072 };
/** The kernel's default of fs.nr_open: with a larger LimitNOFILE= a service does not start. */
const MAX_OPEN_FILES = 1 << 20;
/** What is open besides: addons, driver, sockets, requests under way. */
const OTHER_FILES = 4096;

/** The limits of the policy that a unit's settings depend on. */
export interface SizingLimits {
  readonly sessions: number;
  readonly storedFds: number;
  readonly reservedFds: number;
}

/** LimitNOFILE= for these limits. */
export function openFilesFor({ sessions, storedFds, reservedFds }: SizingLimits): number {
  // A session may have sent one more fd; what is stored is open here as well.
  const open = sessions * (FDS_OF_SESSION + 1) + storedFds * 2 + reservedFds + OTHER_FILES;
  const wanted = Math.max(open, sessions * MIN_IN_FLIGHT, SHIPPED.openFiles);
  return Math.min(Math.ceil(wanted / 1024) * 1024, MAX_OPEN_FILES);
}

/** The drop-in, for UNIT.service.d. */
export function unitSettingsText(limits: SizingLimits): string {
  return [
    "# Sized by vkmemd's policy: made by vkmemd --unit-settings.",
    '[Service]',
    `FileDescriptorStoreMax=${SHIPPED.storedFds}`,
    `Environment=VKMEMD_FDSTORE_MAX=${SHIPPED.storedFds}`,
    `LimitNOFILE=${openFilesFor(limits)}`,
  ].join('\n');
}
