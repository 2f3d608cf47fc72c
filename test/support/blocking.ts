/** Changes the flags of an open file description that other processes share, as a hostile process would. */
import { spawnSync } from 'node:child_process';

const PROGRAM = `
import fcntl, os
fcntl.fcntl(3, fcntl.F_SETFL, fcntl.fcntl(3, fcntl.F_GETFL) & ~os.O_NONBLOCK)
`;

/**
 * Clears O_NONBLOCK on the open file description of an fd: calls on it block from now on in all processes
 * that share it. @throws Error.
 */
export function setBlocking(fd: number): void {
  const { status } = spawnSync('python3', ['-c', PROGRAM], { stdio: ['ignore', 'ignore', 'inherit', fd] });
  if (status !== 0) throw new Error(`O_NONBLOCK could not be cleared: ${status}`);
}
