/**
 * Who else can change a folder of the daemon. Where others can write the runtime folder, they can put a socket
 * of their own in the place of the daemon's: it is served, with a warning. Where others could have written the
 * ledger, it is refused, because the daemon would trust its records.
 */
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { VkmemError } from '@vkmemd/proto';

const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

const own = (uid: number): boolean => uid === 0 || uid === process.geteuid?.();
const octal = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, '0');

/** @returns RUNTIME_EXPOSED if other users can replace files of the folder, or the folder; otherwise undefined. */
export function exposureOf(folder: string): VkmemError | undefined {
  const why = whyExposed(realpathSync(folder));
  return why === undefined ? undefined : new VkmemError('RUNTIME_EXPOSED', `${why}.`);
}

function whyExposed(folder: string): string | undefined {
  const { uid, mode } = statSync(folder);
  if (!own(uid)) return `${folder} belongs to the user ${uid}`;
  if (mode & OTHERS_WRITE) return `${folder} has mode ${octal(mode)}`;
  for (let parent = dirname(folder); ; parent = dirname(parent)) {
    const { mode } = statSync(parent);
    // In a sticky folder, such as /tmp, only the owner renames a folder.
    if (mode & OTHERS_WRITE && !(mode & STICKY)) return `${parent} has mode ${octal(mode)}`;
    if (parent === dirname(parent)) return undefined;
  }
}

/**
 * Requires that a folder, if it exists, is one that only this user can have written.
 * @throws VkmemError LEDGER_UNREADABLE otherwise, with what to do.
 */
export function requireOwnFolder(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  const { uid, mode } = found;
  const user = process.geteuid?.() ?? 0;
  const refuse = (what: string, next: string) => {
    throw new VkmemError('LEDGER_UNREADABLE', `${path} ${what}.`, {}, undefined, next);
  };
  const remove = 'which drops the memory that it describes';
  if (!found.isDirectory()) refuse('is not a folder', `Remove it, ${remove}.`);
  if (uid !== user) {
    refuse(
      `belongs to the user ${uid}, and the daemon is the user ${user}`,
      `If its content can be trusted, chown -R ${user} ${path}; otherwise remove it, ${remove}.`,
    );
  }
  if (mode & OTHERS_WRITE) {
    refuse(
      `can be written by others (mode ${octal(mode)})`,
      `If its content can be trusted, chmod -R go-w ${path}; otherwise remove it, ${remove}.`,
    );
  }
}
