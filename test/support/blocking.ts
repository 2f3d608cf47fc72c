/**
 * What a hostile process does to an open file that others have too.
 */
import { spawnSync } from 'node:child_process';

const PROGRAM = `
import fcntl, os
fcntl.fcntl(3, fcntl.F_SETFL, fcntl.fcntl(3, fcntl.F_GETFL) & ~os.O_NONBLOCK)
`;

/** Has calls on the open file of an fd block from now on, for all who have it. @throws Error. */
export function setBlocking(fd: number): void {
  const { status } = spawnSync('python3', ['-c', PROGRAM], { stdio: ['ignore', 'ignore', 'inherit', fd] });
  if (status !== 0) throw new Error(`the flag could not be taken off: ${status}`);
}
