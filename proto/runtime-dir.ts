/**
 * Where the sockets are. The daemon makes the folder, clients look for it, both by the same order:
 * an explicit folder, $RUNTIME_DIRECTORY (systemd's, its first entry), $XDG_RUNTIME_DIR/vkmemd, /run/vkmemd.
 */
import { join, resolve } from 'node:path';

/** The runtime folder, absolute. */
export function runtimeDir(explicit?: string, env: NodeJS.ProcessEnv = process.env): string {
  if (explicit) return resolve(explicit);
  const fromSystemd = env.RUNTIME_DIRECTORY?.split(':')[0];
  if (fromSystemd) return fromSystemd;
  return env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'vkmemd') : '/run/vkmemd';
}
