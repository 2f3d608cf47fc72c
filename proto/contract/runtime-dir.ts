/**
 * Where the sockets are. The daemon makes the folder, clients look for it, both by the same order:
 * an explicit folder, $RUNTIME_DIRECTORY (systemd's, its first entry but for the folder
 * of sockets for virtual machines), $XDG_RUNTIME_DIR/vkmemd, /run/vkmemd.
 */
import { basename, join, resolve } from 'node:path';
import { IVSHMEM_FOLDER } from './names.js';

/** The runtime folder, absolute. */
export function runtimeDir(explicit?: string, env: NodeJS.ProcessEnv = process.env): string {
  if (explicit) return resolve(explicit);
  // systemd sorts them.
  const fromSystemd = env.RUNTIME_DIRECTORY?.split(':').find((entry) => basename(entry) !== IVSHMEM_FOLDER);
  if (fromSystemd) return fromSystemd;
  return env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'vkmemd') : '/run/vkmemd';
}

/** Where the sockets for virtual machines are: the entry of $RUNTIME_DIRECTORY of that name, or below the runtime folder. */
export function ivshmemDir(explicit?: string, env: NodeJS.ProcessEnv = process.env): string {
  const entries = explicit ? [] : (env.RUNTIME_DIRECTORY?.split(':') ?? []);
  const own = entries.find((entry) => basename(entry) === IVSHMEM_FOLDER);
  return own ?? join(runtimeDir(explicit, env), IVSHMEM_FOLDER);
}
