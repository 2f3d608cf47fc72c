/** Why no connection to a path can be made: what is there instead of a socket on which a process listens. */
import { lstatSync, readFileSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** What is wrong, as a sentence, and what to do. */
export interface ConnectFault {
  readonly why: string;
  readonly next: string;
}

const PLACE = 'Check the path, or start vkmemd there.';
const MOUNT = 'Mount the folder of the socket, not its file, and start the container again.';

/** Undefined if nothing is known beyond the errno. */
export function connectFault(path: string, errno: string): ConnectFault | undefined {
  if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP') return missing(path);
  return errno === 'ECONNREFUSED' ? refused(path) : undefined;
}

function missing(path: string): ConnectFault | undefined {
  if (statOf(path, lstatSync)?.isSymbolicLink()) {
    return { why: `${path} is a link to a file that does not exist.`, next: PLACE };
  }
  const parents = [dirname(path)];
  while (parents[0] !== undefined && parents[0] !== dirname(parents[0])) parents.unshift(dirname(parents[0]));
  for (const folder of parents) {
    const found = statOf(folder);
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
    why: `No process listens on ${path}: the daemon has ended and left its socket.`,
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
