/**
 * `vkmemd --keeper`: the keeper's composition root. What it loads is little, so that there is little of it in memory and
 * little to go wrong: no device, no planes, no domain.
 *
 * In the runtime folder it has a folder of its own, `keeper`, that no other user may enter: its socket, and the lock by
 * which there is one keeper.
 */
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockFile, type OwnedFd } from '@vkmemd/proto/kernel';
import { pino } from 'pino';
import { STATE_FOLDER } from '../store/state-folder.js';
import { KeptFds } from './kept-fds.js';
import { inheritedFds, Manager } from './manager.js';
import { parseSettings, requireFds, SettingsError } from './settings.js';
import { EX_USAGE, Supervisor } from './supervisor.js';

const MAX_LOG_BYTES = 1 << 20;
const LOG_FLUSH_MS = 500;

/** Makes a folder and its parents, with these modes whatever the umask. */
function makeFolder(path: string, mode: number): void {
  if (!existsSync(path)) {
    makeFolder(dirname(path), 0o755);
    mkdirSync(path);
    chmodSync(path, mode);
  }
}

/** The keeper's own folder, and the lock on it. @throws SettingsError where another has it, or it cannot be made. */
function claimFolder(runtimeFolder: string): { folder: string; lock: OwnedFd } {
  const folder = join(runtimeFolder, 'keeper');
  let lock: OwnedFd | undefined;
  try {
    makeFolder(folder, 0o700);
    chmodSync(folder, 0o700);
    lock = lockFile(join(folder, 'lock'));
  } catch (failure) {
    throw new SettingsError(`${folder} cannot be used: ${(failure as Error).message}.`);
  }
  if (!lock) throw new SettingsError(`Another keeper has ${folder}: choose another --runtime-dir.`);
  return { folder, lock };
}

async function run(log: pino.Logger): Promise<number> {
  const { settings: said, rest, runtimeFolder } = parseSettings(process.argv.slice(2));
  requireFds(said);
  const manager = new Manager(process.env, (err) => log.warn({ err }, 'the service manager was not told'));
  const settings = { ...said, watchdogMs: said.watchdogMs ?? manager.watchdogMs };
  const { folder, lock } = claimFolder(runtimeFolder);
  const address = join(folder, 'notify');
  const fds = new KeptFds(settings.max);
  for (const { name, fd } of inheritedFds(process.env)) fds.add(name, [fd]);
  // By the path that this was started by, which may lead somewhere else by then: that is an upgrade.
  const program = process.argv[1] ?? '';
  const command = { file: process.execPath, args: [...process.execArgv, program, ...rest] };
  rmSync(address, { force: true });
  const keeper = new Supervisor(command, address, fds, manager, settings, log);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => keeper.stop());
  process.on('SIGHUP', () => keeper.signal('SIGHUP'));
  process.on('SIGUSR2', () => keeper.restart());
  try {
    return await keeper.run();
  } finally {
    keeper.close();
    manager.close();
    rmSync(address, { force: true });
    // The fds are gone, and with them what it says.
    rmSync(join(runtimeFolder, STATE_FOLDER), { recursive: true, force: true });
    lock.close();
  }
}

// Never waits for whoever reads the log: what does not fit is dropped.
const logFile = pino.destination({ dest: 1, sync: false, maxLength: MAX_LOG_BYTES });
// Nobody is left to tell, and what is kept is worth more than the log.
logFile.on('error', () => {});
const log = pino({ name: 'vkmemd-keeper' }, logFile);
let status = 1;
try {
  status = await run(log);
  log.info({ status }, 'the keeper ends');
} catch (failure) {
  if (failure instanceof SettingsError) {
    process.stderr.write(`vkmemd: ${failure.message}\n`);
    status = EX_USAGE;
  } else {
    log.fatal({ err: failure }, 'the keeper failed');
  }
}
const closed = once(logFile, 'close').then(
  () => true,
  () => true,
);
logFile.end();
// Where nobody reads, pino would wait for that when the process exits.
if (!(await Promise.race([closed, sleep(LOG_FLUSH_MS, false)]))) logFile.flushSync = () => {};
process.exit(status);
