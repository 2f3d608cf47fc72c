/**
 * The process that started this one.
 */
import { constants } from 'node:os';
import { native } from './native.js';

/**
 * Makes the kernel send `signal` to this process when its parent ends (PR_SET_PDEATHSIG, prctl(2)). If the
 * parent has ended before the call, no signal is sent: check process.ppid after the call.
 * @throws KernelError from prctl() for a signal that does not exist.
 */
export function endWithParent(signal: NodeJS.Signals): void {
  native.endWithParent(constants.signals[signal]);
}
