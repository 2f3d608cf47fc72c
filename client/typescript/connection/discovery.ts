/**
 * Discovery: where the sockets of a daemon are.
 *
 * A folder that is named is the only one that counts: the option `runtimeDir`, otherwise $VKMEMD_RUNTIME_DIR.
 * Otherwise /run/vkmemd, and then $XDG_RUNTIME_DIR/vkmemd, is taken if it has a socket. found-daemons.ts says what
 * a folder has, choose-daemon.ts which daemon is meant. Where a folder has several, `device` must choose one, also
 * where one of them has its sockets in the folder itself.
 */
import { dirname, join, resolve } from 'node:path';
import {
  CONTROL_SOCKET,
  type Environment,
  HANDOFF_SOCKET,
  RUNTIME_DIR_VARIABLE,
  SYSTEM_RUNTIME_DIR,
  userRuntimeDir,
  VkmemError,
} from '@vkmemd/proto';
import { chooseDaemon, daemonText, deviceWanted } from './choose-daemon.js';
import { daemonsIn, type FoundDaemon } from './found-daemons.js';

/** Which daemon. */
export interface Place {
  /**
   * The daemon's runtime folder. Default: $VKMEMD_RUNTIME_DIR; without it the first of /run/vkmemd and
   * $XDG_RUNTIME_DIR/vkmemd that has a socket.
   */
  readonly runtimeDir?: string | undefined;
  /**
   * The device, where several daemons have one each: its UUID, or the first four or more digits of it, with or
   * without dashes, also as nvidia-smi writes it (`GPU-...`); its index on the host; or its name, or a part of it.
   * Indices are in the order of PCI addresses, which is nvidia-smi's, and not CUDA's: CUDA_VISIBLE_DEVICES does not
   * change them. Required where there are several.
   */
  readonly device?: string | number | undefined;
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
 * @throws VkmemError UNAVAILABLE that names every place that was looked at, and its daemons if none has the device;
 *   INVALID_ARGUMENT if a folder has several daemons, and `device` does not choose one: it names them.
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
  const device = deviceWanted(place.device);
  const folders = foldersOf(place, env, system);
  const looked: string[] = [];
  for (const folder of folders) {
    const { daemons, why } = daemonsIn(folder);
    const chosen = chooseDaemon(folder, daemons, device);
    if (chosen) return socketsIn(chosen.runtimeDir);
    looked.push(
      daemons.length > 0 ? `${folder} (${daemons.map(daemonText).join('; ')})` : `${folder} (${why})`,
    );
  }
  const [first] = folders;
  // The failure to connect says more about a folder that is named.
  if (isNamed(place, env) && device === undefined && first !== undefined) return socketsIn(first);
  const wanted = device === undefined ? 'No daemon' : `No daemon of device ${device}`;
  const reason = `${wanted} was found in ${looked.join(', ')}.`;
  throw new VkmemError('UNAVAILABLE', reason, { retryable: 'true', outcome: 'not-done' }, undefined, NEXT);
}

/**
 * The daemons of this host: those of `runtimeDir` or $VKMEMD_RUNTIME_DIR if one is named, otherwise those of
 * /run/vkmemd and of $XDG_RUNTIME_DIR/vkmemd. In the order of the indices of their devices; those that do not
 * describe their device follow. Nothing is connected to: a daemon of the list may not run.
 * @param system What takes the place of /run/vkmemd.
 */
export function findDaemons(
  place: { readonly runtimeDir?: string | undefined } = {},
  env: Environment = process.env,
  system = SYSTEM_RUNTIME_DIR,
): FoundDaemon[] {
  const index = ({ device }: FoundDaemon) => device?.index ?? Number.POSITIVE_INFINITY;
  return foldersOf(place, env, system)
    .flatMap((folder) => daemonsIn(folder).daemons)
    .sort((one, other) => (index(one) === index(other) ? 0 : index(one) - index(other)));
}

const isNamed = ({ runtimeDir }: Place, env: Environment): boolean =>
  Boolean(runtimeDir || env[RUNTIME_DIR_VARIABLE]);

/** The folders that are looked at, in this order. */
function foldersOf(place: Place, env: Environment, system: string): string[] {
  const named = place.runtimeDir || env[RUNTIME_DIR_VARIABLE];
  if (named) return [resolve(named)];
  const user = userRuntimeDir(env);
  return user === undefined ? [system] : [system, user];
}

const socketsIn = (folder: string): Sockets => ({
  handoff: join(folder, HANDOFF_SOCKET),
  control: join(folder, CONTROL_SOCKET),
});
