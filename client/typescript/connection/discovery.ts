/**
 * Discovery: where the sockets of a daemon are.
 *
 * A folder that is named is the only one that counts: the option `runtimeDir`, otherwise $VKMEMD_RUNTIME_DIR.
 * Otherwise /run/vkmemd, and then $XDG_RUNTIME_DIR/vkmemd, is taken if it has a socket. The only daemon of a folder
 * has its sockets there; one of several has them in `devices/UUID` below it.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  CONTROL_SOCKET,
  DEVICES_FOLDER,
  type Environment,
  HANDOFF_SOCKET,
  RUNTIME_DIR_VARIABLE,
  SYSTEM_RUNTIME_DIR,
  userRuntimeDir,
  uuidDigits,
  VkmemError,
} from '@vkmemd/proto';

/** Which daemon. */
export interface Place {
  /**
   * The daemon's runtime folder. Default: $VKMEMD_RUNTIME_DIR; without it the first of /run/vkmemd and
   * $XDG_RUNTIME_DIR/vkmemd that has a socket.
   */
  readonly runtimeDir?: string | undefined;
  /**
   * Where several daemons have a device each: the UUID of the device, or the first digits of it, with or without
   * dashes, also as nvidia-smi writes it (`GPU-...`). Required there.
   */
  readonly device?: string | undefined;
  /**
   * The user, or users, that the daemon's sockets must belong to: the one that runs it, and root where systemd
   * listens. A socket of another user is refused with NOT_PERMITTED. Default: any user, with a warning if it is
   * neither root, this user nor `vkmemd`.
   */
  readonly expectUid?: number | readonly number[] | undefined;
}

/** Which daemon, by its handoff socket if that is given. */
export interface PlaceOfSocket extends Place {
  /** The path of the handoff socket. Default: handoff.sock in the runtime folder. */
  readonly handoffSocket?: string | undefined;
}

/** Absolute paths. */
export interface Sockets {
  readonly handoff: string;
  readonly control: string;
}

const NEXT = `Start vkmemd, or name its folder (runtimeDir, --runtime-dir, $${RUNTIME_DIR_VARIABLE}).`;

/**
 * Finds the sockets of a daemon, which need not run.
 * @param system What takes the place of /run/vkmemd.
 * @throws VkmemError UNAVAILABLE that names every place that was looked at; INVALID_ARGUMENT if there are several
 *   daemons, and `device` does not choose one.
 */
export function findDaemon(
  place: PlaceOfSocket = {},
  env: Environment = process.env,
  system = SYSTEM_RUNTIME_DIR,
): Sockets {
  if (place.handoffSocket !== undefined) {
    const handoff = resolve(place.handoffSocket);
    return { handoff, control: join(dirname(handoff), CONTROL_SOCKET) };
  }
  const { device } = place;
  const name = place.runtimeDir || env[RUNTIME_DIR_VARIABLE];
  const named = name ? resolve(name) : undefined;
  const user = userRuntimeDir(env);
  const folders = named !== undefined ? [named] : user !== undefined ? [system, user] : [system];
  const looked: string[] = [];
  for (const folder of folders) {
    const seen = lookInto(folder, device);
    if (seen.found !== undefined) return socketsIn(seen.found);
    looked.push(`${folder} (${seen.why})`);
  }
  // The failure to connect says more about a folder that is named.
  if (named !== undefined && device === undefined) return socketsIn(named);
  const wanted = device === undefined ? 'No daemon' : `No daemon of device ${device}`;
  const reason = `${wanted} was found in ${looked.join(', ')}.`;
  throw new VkmemError('UNAVAILABLE', reason, { retryable: 'true', outcome: 'not-done' }, undefined, NEXT);
}

const socketsIn = (folder: string): Sockets => ({
  handoff: join(folder, HANDOFF_SOCKET),
  control: join(folder, CONTROL_SOCKET),
});

type Seen = { readonly found: string } | { readonly found?: undefined; readonly why: string };

function lookInto(folder: string, device: string | undefined): Seen {
  const own = presence(join(folder, HANDOFF_SOCKET));
  if (own === undefined && device === undefined) return { found: folder };
  const devices = join(folder, DEVICES_FOLDER);
  const all = entriesOf(devices).filter(
    (uuid) => presence(join(devices, uuid, HANDOFF_SOCKET)) === undefined,
  );
  const fitting = all.filter((uuid) => uuidDigits(uuid).startsWith(uuidDigits(device ?? '')));
  const [first] = fitting;
  if (first !== undefined && fitting.length === 1) return { found: join(devices, first) };
  if (first !== undefined) {
    const reason = `device: ${folder} has daemons of several devices: ${fitting.join(', ')}.`;
    const next = 'Choose one: `device`, --device, or its folder in --runtime-dir.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'device' }, undefined, next);
  }
  if (device !== undefined && all.length > 0) return { why: `devices: ${all.join(', ')}` };
  return { why: device === undefined ? (own ?? '') : `no ${DEVICES_FOLDER}` };
}

/** Undefined if there is a file; otherwise the reason why none is seen. */
function presence(path: string): string | undefined {
  try {
    lstatSync(path);
    return undefined;
  } catch (failure) {
    const { code } = failure as NodeJS.ErrnoException;
    if (code === 'EACCES') return 'EACCES: it may not be searched';
    return presenceOfFolder(dirname(path)) ?? 'no socket';
  }
}

function presenceOfFolder(path: string): string | undefined {
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
