/**
 * A supervisor with another child in place of the daemon: node supervisor.js <folder> <settings as JSON>
 * <program>
 */
import { join } from 'node:path';
import { pino } from 'pino';
import { FdStore } from 'vkmemd/dist/supervisor/fd-store.js';
import { inheritedFds, Manager } from 'vkmemd/dist/supervisor/manager.js';
import { DEFAULTS, type Settings } from 'vkmemd/dist/supervisor/settings.js';
import { Supervisor } from 'vkmemd/dist/supervisor/supervisor.js';

const [folder = '', given = '{}', program = ''] = process.argv.slice(2);
const log = pino({ name: 'supervisor' }, pino.destination({ dest: 2, sync: true }));
const said: Settings = { ...DEFAULTS, ...JSON.parse(given) };
const manager = new Manager(process.env, (err) =>
  log.warn({ err }, 'the service manager did not receive a notification'),
);
const settings = { ...said, watchdogMs: said.watchdogMs ?? manager.watchdogMs };
const fds = new FdStore(settings.max);
for (const { name, fd } of inheritedFds(process.env)) fds.add(name, [fd]);
const supervisor = new Supervisor(
  { file: process.execPath, args: [program] },
  join(folder, 'notify'),
  fds,
  manager,
  settings,
  log,
);
process.on('SIGTERM', () => supervisor.stop());
process.on('SIGHUP', () => supervisor.signal('SIGHUP'));
process.on('SIGUSR2', () => supervisor.restart());
const status = await supervisor.run();
supervisor[Symbol.dispose]();
manager[Symbol.dispose]();
process.exit(status);
