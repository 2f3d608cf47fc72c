/**
 * Starts the supervisor of one daemon: its folder, its fd store, and what is removed at the end.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DisposableStack } from '@vkmemd/proto/kernel';
import type { Logger } from 'pino';
import { STATE_FOLDER } from '../store/names.js';
import { FdStore } from './fd-store.js';
import { claimFolder, NOTIFY_SOCKET, removeIvshmemSockets } from './folder.js';
import type { Settings } from './settings.js';
import { type Reports, Supervisor } from './supervisor.js';

export interface Supervised {
  /** The daemon's arguments. */
  readonly args: readonly string[];
  readonly runtimeFolder: string;
  readonly ivshmemFolder: string;
  readonly settings: Settings;
  readonly reports: Reports;
  readonly log: Logger;
  /** Whether a first daemon that exits with EX_USAGE or EX_CONFIG is the last. Default: it is. */
  readonly isLast?: (status: number) => boolean;
}

/**
 * The command that runs this program with these arguments. It is found by the path that started this process: after
 * an upgrade it is that of the new program.
 */
export function commandOf(args: readonly string[]): { file: string; args: string[] } {
  return { file: process.execPath, args: [...process.execArgv, process.argv[1] ?? '', ...args] };
}

/**
 * @param stack Receives what must be disposed of.
 * @throws SettingsError as claimFolder(); KernelError.
 */
export function supervise(supervised: Supervised, stack: DisposableStack): { fds: FdStore; it: Supervisor } {
  const { args, runtimeFolder, ivshmemFolder, settings, reports, log, isLast } = supervised;
  const address = join(claimFolder(runtimeFolder, stack), NOTIFY_SOCKET);
  rmSync(address, { force: true });
  const fds = new FdStore(settings.max);
  const it = new Supervisor(commandOf(args), address, fds, reports, settings, log, isLast);
  stack.defer(() => removeIvshmemSockets(ivshmemFolder));
  // The ledger describes the stored fds, which have been closed when this runs.
  stack.defer(() => rmSync(join(runtimeFolder, STATE_FOLDER), { recursive: true, force: true }));
  stack.defer(() => rmSync(address, { force: true }));
  stack.use(it);
  return { fds, it };
}
