/**
 * Why no connection to a path can be made: what is there instead of a socket on which a process listens. All sockets of
 * the daemon have the same words for it, for connect() of the addon and of Node.js, which gRPC uses.
 */
import { lstatSync, readFileSync, type Stats, statSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import type { ErrorCode } from '../contract/catalogue.js';
import { VkmemError } from '../contract/errors.js';
import { systemFault } from '../contract/system-fault.js';

/** What is wrong, as a sentence, and what to do. */
interface ConnectFault {
  readonly why: string;
  readonly next: string;
}

const PLACE = 'Check the path, or start vkmemd there.';
const MOUNT = 'Mount the folder of the socket, not its file, and start the container again.';

/** The errnos that tell something about the path. All others tell something about this process. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'UNAVAILABLE',
  ENOTDIR: 'UNAVAILABLE',
  ELOOP: 'UNAVAILABLE',
  ECONNREFUSED: 'UNAVAILABLE',
  EAGAIN: 'UNAVAILABLE',
  ENAMETOOLONG: 'INVALID_ARGUMENT',
  EPROTOTYPE: 'INVALID_ARGUMENT',
  EACCES: 'NOT_PERMITTED',
  EPERM: 'NOT_PERMITTED',
};

/**
 * The error of a connect() that failed.
 * @param errno Its name.
 * @param cause The failure.
 * @param syscall The call that failed: connect(), or the socket() before it, which says nothing about the path.
 */
export function connectError(path: string, errno: string, cause: unknown, syscall = 'connect'): VkmemError {
  const message = `${syscall}: ${textOf(errno)}`;
  const code = syscall === 'connect' ? CODES[errno] : undefined;
  if (code === undefined) {
    const failure = Object.assign(new Error(message, { cause }), { syscall, code: errno, path });
    return systemFault(failure) ?? new VkmemError('SYSTEM_CALL_FAILED', `${path}: ${message}.`, {}, cause);
  }
  const fault = connectFault(path, errno);
  const reason = [`${path}: ${message}.`, fault?.why].filter(Boolean).join(' ');
  return new VkmemError(code, reason, { syscall: 'connect', errno }, cause, fault?.next);
}

/** As the addon describes it: `ENOENT (2), no such file or directory`. */
function textOf(errno: string): string {
  const number = (constants.errno as Readonly<Record<string, number>>)[errno];
  const text = number === undefined ? undefined : getSystemErrorMap().get(-number)?.[1];
  return text === undefined ? errno : `${errno} (${number}), ${text}`;
}

/** Undefined if nothing is known beyond the errno. */
function connectFault(path: string, errno: string): ConnectFault | undefined {
  switch (errno) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
      return missing(path);
    case 'ECONNREFUSED':
      return refused(path);
    case 'ENAMETOOLONG':
      return {
        why: 'The path, or that of a link in it, is too long.',
        next: 'Use a shorter path, or a symbolic link to its folder.',
      };
    case 'EPROTOTYPE':
      return {
        why: `${path} is a socket of another type: handoff.sock takes datagrams, all others are streams.`,
        next: 'Check the path: each plane has a socket of its own in the runtime folder.',
      };
    case 'EAGAIN':
      return {
        why: 'The queue of connections that wait for the daemon is full.',
        next: 'Try again. If it stays full, see what connects again and again (vkmemctl ls --sessions), or stop it.',
      };
    default:
      return undefined;
  }
}

function missing(path: string): ConnectFault | undefined {
  if (statOf(path, lstatSync)?.isSymbolicLink()) {
    return { why: `${path} is a link to a file that does not exist, or to itself.`, next: PLACE };
  }
  const parents = [dirname(path)];
  while (parents[0] !== undefined && parents[0] !== dirname(parents[0])) parents.unshift(dirname(parents[0]));
  for (const folder of parents) {
    const found = statOf(folder);
    if (!found && statOf(folder, lstatSync)?.isSymbolicLink()) {
      return { why: `${folder} is a link to a folder that does not exist, or to itself.`, next: PLACE };
    }
    if (!found) return { why: `The folder ${folder} does not exist.`, next: PLACE };
    if (!found.isDirectory()) return { why: `${folder} is not a folder.`, next: PLACE };
  }
  return { why: `The folder ${dirname(path)} has no such socket.`, next: PLACE };
}

function refused(path: string): ConnectFault | undefined {
  const found = statOf(path);
  if (!found) return undefined;
  if (!found.isSocket()) {
    const what = found.isDirectory() ? 'a folder' : found.isFile() ? 'a regular file' : 'no socket';
    return { why: `${path} is ${what}, not a socket.`, next: PLACE };
  }
  if (isMountPoint(path)) {
    return {
      why: `The socket that was mounted at ${path} has been replaced or has no process any more.`,
      next: MOUNT,
    };
  }
  return {
    why: `No process listens on ${path}: the one that made this socket has ended.`,
    next: 'Start vkmemd again, then try again.',
  };
}

function statOf(path: string, read: (path: string) => Stats = statSync): Stats | undefined {
  try {
    return read(path);
  } catch {
    return undefined;
  }
}

/** Whether the file itself is a mount point. */
function isMountPoint(path: string): boolean {
  try {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    // Spaces and other characters are written as \040.
    const decoded = (text = '') =>
      text.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
    return mounts.some((line) => decoded(line.split(' ')[4]).replace(/\/\/deleted$/, '') === path);
  } catch {
    return false;
  }
}
