/**
 * The folder of a daemon's sockets, as the daemon itself determines it. The first of these that is set is used: an
 * explicit folder; $VKMEMD_RUNTIME_DIR; $RUNTIME_DIRECTORY, which systemd sets (its first entry that is not one of
 * the two folders below); $XDG_RUNTIME_DIR/vkmemd; /run/vkmemd. Clients look for a daemon
 * instead: a unit's own $RUNTIME_DIRECTORY says nothing about another unit's sockets.
 */
import { basename, isAbsolute, join, resolve } from 'node:path';
import { ABOUT_FOLDER } from './device-description.js';
import { IVSHMEM_FOLDER } from './names.js';

/** Where the sockets of the only daemon of a system are. */
export const SYSTEM_RUNTIME_DIR = '/run/vkmemd';
/** The variable that names the runtime folder, for daemons and clients. */
export const RUNTIME_DIR_VARIABLE = 'VKMEMD_RUNTIME_DIR';
/** The folder in a runtime folder that has one for each of several daemons, named after its device's UUID. */
export const DEVICES_FOLDER = 'devices';

/** Variables by their names, as in process.env. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A relative path is ignored, as the XDG Base Directory Specification demands. */
const absolute = (path: string | undefined): string | undefined =>
  path !== undefined && isAbsolute(path) ? path : undefined;

/** The folder of a user's own daemon; undefined without a valid $XDG_RUNTIME_DIR. */
export function userRuntimeDir(env: Environment = process.env): string | undefined {
  const folder = absolute(env.XDG_RUNTIME_DIR);
  return folder === undefined ? undefined : join(folder, 'vkmemd');
}

/** The entries of $RUNTIME_DIRECTORY. systemd sorts them, so the runtime folder need not be the first. */
const entriesOf = (env: Environment): string[] =>
  env.RUNTIME_DIRECTORY?.split(':').filter((entry) => isAbsolute(entry)) ?? [];

/** Folders of a unit that are not its runtime folder. */
const INNER: readonly string[] = [IVSHMEM_FOLDER, ABOUT_FOLDER];

/** The folder that is named, rather than found by a rule. */
const named = (explicit: string | undefined, env: Environment): string | undefined => {
  const folder = explicit || env[RUNTIME_DIR_VARIABLE];
  return folder ? resolve(folder) : undefined;
};

/**
 * The absolute path of the daemon's runtime folder.
 * @param explicit A path that overrides the environment; made absolute.
 */
export function runtimeDir(explicit?: string, env: Environment = process.env): string {
  const ofSystemd = entriesOf(env).find((entry) => !INNER.includes(basename(entry)));
  return named(explicit, env) ?? ofSystemd ?? userRuntimeDir(env) ?? SYSTEM_RUNTIME_DIR;
}

/** The entry of $RUNTIME_DIRECTORY with that name, otherwise a subfolder of the runtime folder. */
function innerDir(name: string, explicit: string | undefined, env: Environment): string {
  const own = named(explicit, env) ? undefined : entriesOf(env).find((entry) => basename(entry) === name);
  return own ?? join(runtimeDir(explicit, env), name);
}

/**
 * The path of the folder of sockets for virtual machines: the entry of $RUNTIME_DIRECTORY with that name,
 * otherwise a subfolder of the runtime folder.
 */
export function ivshmemDir(explicit?: string, env: Environment = process.env): string {
  return innerDir(IVSHMEM_FOLDER, explicit, env);
}

/** The path of the folder with the description of the daemon's device, likewise. */
export function aboutDir(explicit?: string, env: Environment = process.env): string {
  return innerDir(ABOUT_FOLDER, explicit, env);
}
