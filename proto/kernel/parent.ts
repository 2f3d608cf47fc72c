/**
 * The process that started this one.
 */
import { constants } from 'node:os';
import { native } from './native.js';

/**
 * Has the kernel send this process `signal` when its parent ends (PR_SET_PDEATHSIG). If the parent has ended
 * before the call, no signal is sent: compare process.ppid afterwards.
 * @throws KernelError from prctl() for a signal that does not exist.
 */
export function endWithParent(signal: NodeJS.Signals): void {
  native.endWithParent(constants.signals[signal]);
}
