/**
 * vkmemd --unit-settings: the settings that a systemd unit needs for the policy's limits, as the text of a
 * drop-in file. `systemd/vkmemd-generator` writes it to the directory from which systemd reads units.
 *
 * No setting is lower than in the shipped units (SHIPPED). The setting of stored fds is always the maximum
 * that a policy may set: systemd closes the fds that it stores beyond a lowered limit, so neither a change of
 * the policy nor a fault in it may lower the setting.
 */
import { FDS_OF_SESSION, MAX_OPEN_FILES } from './fd-budget.js';
import { MIN_IN_FLIGHT } from './in-flight-fds.js';

/** Settings of systemd/vkmemd.service and of its template. */
export const SHIPPED = { storedFds: 16_384, openFiles: 131_072 };
/** Other open files: addons, driver, sockets, requests under way. */
const OTHER_FILES = 4096;

/** The limits of the policy that a unit's settings depend on. */
export interface SizingLimits {
  readonly sessions: number;
  readonly storedFds: number;
  readonly reservedFds: number;
}

/** The value of LimitNOFILE= for these limits. */
export function openFilesFor({ sessions, storedFds, reservedFds }: SizingLimits): number {
  // A session may have sent one more fd. Stored fds are also open in the daemon.
  const open = sessions * (FDS_OF_SESSION + 1) + storedFds * 2 + reservedFds + OTHER_FILES;
  const wanted = Math.max(open, sessions * MIN_IN_FLIGHT, SHIPPED.openFiles);
  return Math.min(Math.ceil(wanted / 1024) * 1024, MAX_OPEN_FILES);
}

/** The text of the drop-in file, for UNIT.service.d. */
export function unitSettingsText(limits: SizingLimits): string {
  return [
    "# Made by vkmemd --unit-settings from the limits of vkmemd's policy.",
    '[Service]',
    `FileDescriptorStoreMax=${SHIPPED.storedFds}`,
    `Environment=VKMEMD_FDSTORE_MAX=${SHIPPED.storedFds}`,
    `LimitNOFILE=${openFilesFor(limits)}`,
  ].join('\n');
}
