/**
 * Failed system calls of this process, of the addon and of Node.js, as errors of the catalogue: the call, the path
 * where there is one, the errno by name, and what to do.
 */
import type { ErrorCode } from './catalogue.js';
import { VkmemError } from './errors.js';

/** What Node.js and the addon have in common. */
interface SystemError extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly path?: string;
}

/** The errnos with a code of their own. All others are SYSTEM_CALL_FAILED. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'NOT_PERMITTED',
  EPERM: 'NOT_PERMITTED',
  EMFILE: 'TOO_MANY_FILES',
  ENFILE: 'TOO_MANY_FILES',
};
/** The errnos of calls that a sandbox or an old kernel refuses, with what to do. */
const REFUSALS: Readonly<Record<string, string>> = {
  EPERM:
    'A seccomp profile, as of an old container runtime, or a security module (AppArmor, SELinux) refuses the call: allow it there.',
  EACCES:
    'A security module (AppArmor, SELinux) or a seccomp profile, as of an old container runtime, refuses the call: allow it there.',
  ENOSYS:
    'The kernel is too old for the call, or a seccomp profile, as of an old container runtime, refuses it: allow it there.',
};
const NEXT: Readonly<Record<string, string>> = {
  EACCES: 'Check who may use that file and its folders, or run the command as another user.',
  EPERM:
    'Check whether a sandbox, a seccomp profile or AppArmor refuses the call, or run the command as another user.',
  EMFILE: 'Raise the limit of this process (ulimit -n), or close files.',
  ENFILE: 'Raise fs.file-max of this machine, or close files.',
  ENOMEM:
    'Free memory of this machine or its control group, or raise vm.max_map_count or RLIMIT_AS (ulimit -v).',
  ENOSPC: 'Free space on that file system.',
  EDQUOT: 'Free space on that file system, or have your quota there raised.',
  EROFS: 'Choose a folder on a file system that can be written.',
  ENOSYS: 'Check whether a seccomp profile refuses the call, or use a newer kernel.',
};

/** What to do about an errno; undefined if only the call says it. */
export const adviceOf = (errno: string): string | undefined => NEXT[errno];

/**
 * The likely cause, and what to do, of a failed call that has no other reason to fail with this errno.
 * @returns undefined if the failure is none of a system call, or not a refusal.
 */
export const refusalOf = (failure: unknown): string | undefined =>
  isSystemError(failure) ? REFUSALS[failure.code] : undefined;

/** @returns undefined if the failure is not that of a system call. */
export function systemFault(failure: unknown): VkmemError | undefined {
  if (!isSystemError(failure)) return undefined;
  const { code: errno, syscall, path, message } = failure;
  const reason = path === undefined || message.includes(path) ? `${message}.` : `${path}: ${message}.`;
  const metadata = { errno, syscall, whose: 'client', ...(path !== undefined && { path }) };
  return new VkmemError(CODES[errno] ?? 'SYSTEM_CALL_FAILED', reason, metadata, failure, NEXT[errno]);
}

const isSystemError = (failure: unknown): failure is SystemError =>
  failure instanceof Error &&
  'syscall' in failure &&
  'code' in failure &&
  typeof failure.code === 'string' &&
  /^E[A-Z0-9]+$/.test(failure.code);
