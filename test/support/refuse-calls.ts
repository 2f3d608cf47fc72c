/** Runs a command whose system calls fail, as under a seccomp profile of a container runtime. */
import { join } from 'node:path';
import { root } from './daemon.js';

const PROGRAM = join(root, 'test/support/refuse-calls.py');

/** The command that runs another one as its last step, with these calls refused (refuse-calls.py). */
export const refusing = (errno: string, ...calls: readonly string[]): string[] => [
  'python3',
  PROGRAM,
  errno,
  ...calls,
  '--',
];
