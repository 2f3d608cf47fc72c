/**
 * The folders of the sockets. The daemon and its clients determine the runtime folder in the same way. The
 * first of these that is set is used: an explicit folder; $RUNTIME_DIRECTORY, which systemd sets (its first
 * entry that is not the folder of sockets for virtual machines); $XDG_RUNTIME_DIR/vkmemd; /run/vkmemd.
 */
import { basename, join, resolve } from 'node:path';
import { IVSHMEM_FOLDER } from './names.js';

/**
 * The absolute path of the runtime folder.
 * @param explicit A path that overrides the environment; made absolute.
 */
export function runtimeDir(explicit?: string, env: NodeJS.ProcessEnv = process.env): string {
  if (explicit) return resolve(explicit);
  // systemd sorts the entries, so the runtime folder need not be the first.
  const fromSystemd = env.RUNTIME_DIRECTORY?.split(':').find((entry) => basename(entry) !== IVSHMEM_FOLDER);
  if (fromSystemd) return fromSystemd;
  return env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'vkmemd') : '/run/vkmemd';
}

/**
 * The path of the folder of sockets for virtual machines: the entry of $RUNTIME_DIRECTORY with that name,
 * otherwise a subfolder of the runtime folder.
 */
export function ivshmemDir(explicit?: string, env: NodeJS.ProcessEnv = process.env): string {
  const entries = explicit ? [] : (env.RUNTIME_DIRECTORY?.split(':') ?? []);
  const own = entries.find((entry) => basename(entry) === IVSHMEM_FOLDER);
  return own ?? join(runtimeDir(explicit, env), IVSHMEM_FOLDER);
}
