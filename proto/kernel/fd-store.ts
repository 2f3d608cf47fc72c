/**
 * Names of file descriptors in a service manager's fd store: sd_pid_notify_with_fds(3), FDNAME=.
 */

/**
 * The maximum total length of the names of all stored fds, in bytes, each name with its separator. A started
 * process receives them in one variable, $LISTEN_FDNAMES. The kernel limits one string of the environment to
 * 128 KiB (MAX_ARG_STRLEN, execve(2)) and starts no process with a longer one. 256 bytes are left for the
 * names of sockets, which are in the same variable.
 */
export const MAX_FD_NAME_BYTES = 128 * 1024 - 'LISTEN_FDNAMES='.length - 1 - 256;

/**
 * Whether systemd accepts the name for a stored fd: 1 to 255 printable ASCII characters, none of them a colon
 * (sd_pid_notify_with_fds(3)).
 */
export function isFdName(name: string): boolean {
  return /^[\x20-\x39\x3b-\x7e]{1,255}$/.test(name);
}
