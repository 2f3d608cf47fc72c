/**
 * The faults of a file system under the ledger, as LMDB and Node.js report them, and the error that a
 * request gets.
 */
import { constants } from 'node:os';
import { VkmemError } from '@vkmemd/proto';

/** Codes of LMDB (lmdb.h). */
const MDB_PANIC = -30795;
const MDB_MAP_FULL = -30792;
const OWN_NAMES: ReadonlyMap<number, string> = new Map([
  [MDB_PANIC, 'MDB_PANIC'],
  [MDB_MAP_FULL, 'MDB_MAP_FULL'],
]);
const ERRNO_NAMES = new Map(Object.entries(constants.errno).map(([name, errno]) => [errno, name]));
/** Faults that pass once there is more room. */
const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'MDB_MAP_FULL']);
const WRITABLE_NEXT =
  'Make the file system of that folder writable (dmesg tells why it failed), then try again.';

/** The name of the failure, such as ENOSPC. */
export function nameOfFault(cause: unknown): string {
  const { code } = cause as { code?: unknown };
  if (typeof code === 'string') return code;
  if (typeof code !== 'number') return 'an unknown error';
  return OWN_NAMES.get(code) ?? ERRNO_NAMES.get(Math.abs(code)) ?? `error ${code}`;
}

/** Whether the write failed for lack of room, so that a smaller reserve may help. */
export const isLackOfRoom = (cause: unknown): boolean => NO_ROOM.has(nameOfFault(cause));

/** Whether the file system is the cause, and not the content of a file. */
export const isFileSystemFault = (cause: unknown): boolean =>
  isLackOfRoom(cause) || ['EIO', 'EROFS'].includes(nameOfFault(cause));

/** Whether LMDB refuses all writes until it is opened again. */
export const needsReopening = (cause: unknown): boolean => nameOfFault(cause) === 'MDB_PANIC';

/** @param needed The bytes that the folder's file system lacks. */
export function ledgerFull(folder: string, needed: number, cause: unknown): VkmemError {
  const errno = nameOfFault(cause);
  const room = isLackOfRoom(cause);
  const reason = room
    ? `A write in ${folder} failed: ${errno}. ${needed} more bytes are needed there.`
    : `A write in ${folder} failed: ${errno}. ${needed} bytes were to be written there.`;
  const metadata = { folder, needed_bytes: String(needed), errno };
  return new VkmemError('LEDGER_FULL', reason, metadata, cause, room ? undefined : WRITABLE_NEXT);
}
