/**
 * `vkmemd --supervisor`: the supervisor's composition root. It loads neither the device nor the planes nor
 * the core, so that it needs little memory and few things can fail.
 *
 * The folder `supervisor` in the runtime folder, with mode 0700, contains its socket and the lock that
 * excludes a second supervisor.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  DisposableStack,
  isKernelError,
  MAX_SOCKET_PATH_BYTES,
  refusalOf,
  requireProc,
  setDumpable,
  systemFault,
  VkmemError,
} from '@vkmemd/proto/kernel';
import { pino } from 'pino';
import { EX_CONFIG, EX_USAGE, EXIT_FAILURE } from '../exit-status.js';
import { FolderLock } from '../folder-lock.js';
import { removeIfStale } from '../socket-file.js';
import { STATE_FOLDER } from '../store/names.js';
import { loggedError } from '../systemd/logged-error.js';
import { StandardOutput } from '../systemd/standard-output.js';
import { FdStore } from './fd-store.js';
import { inheritedFds, Manager } from './manager.js';
import { parseSettings, replaceOldNames, requireFds, SettingsError } from './settings.js';
import { Supervisor } from './supervisor.js';

const FOLDER = 'supervisor';
/** The former name of the folder. A supervisor of the previous version may run and hold the lock in it. */
const OLD_FOLDER = 'keeper';
const LOCK_FILE = 'lock';
/** The socket on which the daemon notifies the supervisor. */
const NOTIFY_SOCKET = 'notify';

/** Creates a folder with this mode, and its parents with mode 0755, regardless of the umask. */
function makeFolder(path: string, mode: number): void {
  if (!existsSync(path)) {
    makeFolder(dirname(path), 0o755);
    mkdirSync(path);
    chmodSync(path, mode);
  }
}

/**
 * Creates the supervisor's folder, and holds its lock until `stack` is disposed.
 * @throws SettingsError if another supervisor holds the lock, the folder cannot be created, or its path is too
 *   long for the socket in it.
 */
function claimFolder(runtimeFolder: string, stack: DisposableStack): string {
  const folder = join(runtimeFolder, FOLDER);
  const socket = join(folder, NOTIFY_SOCKET);
  const bytes = Buffer.byteLength(socket);
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    const limit = `a socket path has at most ${MAX_SOCKET_PATH_BYTES} bytes`;
    throw new SettingsError(`--runtime-dir: ${socket} has ${bytes} bytes; ${limit}.`);
  }
  const old = join(runtimeFolder, OLD_FOLDER);
  const lock = (path: string) => {
    const taken = FolderLock.take(path, join(path, LOCK_FILE));
    if (!taken) throw new SettingsError(`Another supervisor uses ${path}: choose another --runtime-dir.`);
    stack.use(taken);
  };
  try {
    makeFolder(folder, 0o700);
    chmodSync(folder, 0o700);
    lock(folder);
    if (existsSync(join(old, LOCK_FILE))) lock(old);
  } catch (failure) {
    if (failure instanceof SettingsError) throw failure;
    const refusal = isKernelError(failure) && failure.syscall === 'flock' ? ` ${refusalOf(failure)}` : '';
    throw new SettingsError(`${folder} cannot be used: ${(failure as Error).message}.${refusal}`);
  }
  return folder;
}

/** Removes the sockets for virtual machines that the last daemon kept for a next one: no process listens on them. */
function removeIvshmemSockets(folder: string): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) removeIfStale(join(folder, name));
}

/** @returns the exit status. */
async function run(args: readonly string[], log: pino.Logger): Promise<number> {
  const { argv, warning } = replaceOldNames(args);
  if (warning) process.stderr.write(`vkmemd: ${warning}\n`);
  const { settings: given, rest, runtimeFolder, ivshmemFolder } = parseSettings(argv);
  requireProc();
  requireFds(given);
  using stack = new DisposableStack();
  const manager = new Manager(process.env, (err) =>
    log.warn({ err }, 'the service manager did not receive a notification'),
  );
  const settings = { ...given, watchdogMs: given.watchdogMs ?? manager.watchdogMs };
  const folder = claimFolder(runtimeFolder, stack);
  const address = join(folder, NOTIFY_SOCKET);
  const fds = new FdStore(settings.max);
  for (const { name, fd } of inheritedFds(process.env)) fds.add(name, [fd]);
  // The path that started this process: after an upgrade it is that of the new program.
  const program = process.argv[1] ?? '';
  const command = { file: process.execPath, args: [...process.execArgv, program, ...rest] };
  rmSync(address, { force: true });
  const supervisor = new Supervisor(command, address, fds, manager, settings, log);
  stack.defer(() => removeIvshmemSockets(ivshmemFolder));
  // The ledger describes the stored fds, which have been closed when this runs.
  stack.defer(() => rmSync(join(runtimeFolder, STATE_FOLDER), { recursive: true, force: true }));
  stack.defer(() => rmSync(address, { force: true }));
  stack.use(manager);
  stack.use(supervisor);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => supervisor.stop());
  process.on('SIGHUP', () => supervisor.signal('SIGHUP'));
  process.on('SIGUSR2', () => supervisor.restart());
  return await supervisor.run();
}

/** Runs until the last child has ended, and exits the process. */
async function main(args: readonly string[]): Promise<void> {
  // It holds the fds of all memory: another process of its user may not open them.
  setDumpable(false);
  const output = new StandardOutput();
  const log = pino({ name: 'vkmemd-supervisor', serializers: { err: loggedError } }, output);
  let status = EXIT_FAILURE;
  try {
    status = await run(args, log);
    log.info({ status }, 'the supervisor exits');
  } catch (failure) {
    if (failure instanceof SettingsError) {
      process.stderr.write(`vkmemd: ${failure.message}\n`);
      status = EX_USAGE;
    } else {
      const fault = systemFault(failure) ?? (failure instanceof VkmemError ? failure : undefined);
      // An invalid argument is a variable of the service manager.
      if (fault?.code === 'INVALID_ARGUMENT') status = EX_CONFIG;
      if (fault) process.stderr.write(`vkmemd: ${fault.code}: ${fault.reason} ${fault.next}\n`);
      else log.fatal({ err: failure }, 'the supervisor failed');
    }
  }
  await output[Symbol.asyncDispose]();
  process.exit(status);
}

// Not awaited: a bundle is a script, which has no top-level await. Its rejection ends the process.
void main(process.argv.slice(2));
