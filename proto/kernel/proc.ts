/** /proc, which a sandbox may hide: fds are reopened by it, and limits are read from it. */
import { readFileSync } from 'node:fs';
import { VkmemError } from '../contract/errors.js';

/** @throws VkmemError SYSTEM_CALL_FAILED where /proc does not show this process. */
export function requireProc(): void {
  try {
    readFileSync('/proc/self/limits');
  } catch (failure) {
    throw new VkmemError(
      'SYSTEM_CALL_FAILED',
      `/proc does not show this process: ${(failure as Error).message}.`,
      { path: '/proc' },
      failure,
      'Mount /proc where vkmemd runs (mount -t proc proc /proc): a sandbox or a container hides it.',
    );
  }
}
