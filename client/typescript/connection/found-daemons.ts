/**
 * The daemons of a runtime folder: the only one, with its sockets in the folder itself, and those of several
 * devices, in `devices/UUID` below it. A daemon is found by its handoff socket; nothing is connected to.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  ABOUT_FOLDER,
  DESCRIPTION_FILE,
  DEVICES_FOLDER,
  type DeviceDescription,
  HANDOFF_SOCKET,
  MAX_DESCRIPTION_BYTES,
  parseDescription,
  uuidDigits,
  uuidText,
} from '@vkmemd/proto';

/** A daemon of this host, found by its handoff socket. It may not run. */
export interface FoundDaemon {
  /** The folder of its sockets; absolute. */
  readonly runtimeDir: string;
  /** The UUID of its device, with dashes; null if neither the folder's name nor the daemon says it. */
  readonly uuid: string | null;
  /**
   * Its device, as the daemon describes it in `about/device.json`; null if the daemon has not opened the device
   * since its start, or has stopped.
   */
  readonly device: DeviceDescription | null;
}

/** The daemons of one folder, those of several devices in the order of their folders' names. */
export interface FolderContent {
  readonly daemons: readonly FoundDaemon[];
  /** Why the folder itself has no daemon; undefined if it has one. */
  readonly why: string | undefined;
}

export function daemonsIn(folder: string): FolderContent {
  const why = absence(join(folder, HANDOFF_SOCKET));
  const devices = join(folder, DEVICES_FOLDER);
  const several = entriesOf(devices)
    .map((entry) => join(devices, entry))
    .filter((path) => absence(join(path, HANDOFF_SOCKET)) === undefined);
  const paths = why === undefined ? [folder, ...several] : several;
  return { daemons: paths.map((path) => describedAt(path, path === folder)), why };
}

function describedAt(runtimeDir: string, isOnly: boolean): FoundDaemon {
  const device = readDescription(join(runtimeDir, ABOUT_FOLDER, DESCRIPTION_FILE));
  const digits = isOnly ? '' : uuidDigits(runtimeDir.slice(dirname(runtimeDir).length + 1));
  const named = /^[0-9a-f]{32}$/.test(digits) ? uuidText(Buffer.from(digits, 'hex')) : null;
  return { runtimeDir, uuid: device?.uuid ?? named, device };
}

/** At most the allowed bytes are read, of a regular file: another user's folder may have anything there. */
function readDescription(path: string): DeviceDescription | null {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    const { size } = fstatSync(fd);
    if (!fstatSync(fd).isFile() || size > MAX_DESCRIPTION_BYTES) return null;
    const bytes = Buffer.alloc(MAX_DESCRIPTION_BYTES);
    return parseDescription(bytes.toString('utf8', 0, readSync(fd, bytes))) ?? null;
  } catch {
    return null;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Undefined if there is a file; otherwise the reason why none is seen. */
function absence(path: string): string | undefined {
  try {
    lstatSync(path);
    return undefined;
  } catch (failure) {
    const { code } = failure as NodeJS.ErrnoException;
    if (code === 'EACCES') return 'EACCES: it may not be searched';
    return absenceOfFolder(dirname(path)) ?? 'no socket';
  }
}

function absenceOfFolder(path: string): string | undefined {
  try {
    return lstatSync(path).isFile() ? 'not a folder' : undefined;
  } catch {
    return 'no such folder';
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
