/**
 * Where the sockets are. The daemon creates the folder and clients look for it in the same order: an explicit
 * folder, $RUNTIME_DIRECTORY (systemd's; the first entry that is not the folder of sockets for virtual
 * machines), $XDG_RUNTIME_DIR/vkmemd, /run/vkmemd.
 */
import { basename, join, resolve } from 'node:path';
import { IVSHMEM_FOLDER } from './names.js';

/** The runtime folder, absolute. */
export function runtimeDir(explicit?: string, env: NodeJS.ProcessEnv = process.env): string {
  if (explicit) return resolve(explicit);
  // systemd sorts the entries.
  const fromSystemd = env.RUNTIME_DIRECTORY?.split(':').find((entry) => basename(entry) !== IVSHMEM_FOLDER);
  if (fromSystemd) return fromSystemd;
  return env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'vkmemd') : '/run/vkmemd';
}

/**
 * The folder of sockets for virtual machines: the entry of $RUNTIME_DIRECTORY of that name, or below the
 * runtime folder.
 */
export function ivshmemDir(explicit?: string, env: NodeJS.ProcessEnv = process.env): string {
  const entries = explicit ? [] : (env.RUNTIME_DIRECTORY?.split(':') ?? []);
  const own = entries.find((entry) => basename(entry) === IVSHMEM_FOLDER);
  return own ?? join(runtimeDir(explicit, env), IVSHMEM_FOLDER);
}
