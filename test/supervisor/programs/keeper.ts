/**
 * A keeper with another child than the daemon: node keeper.js <folder> <settings as JSON> <program>
 */
import { join } from 'node:path';
import { pino } from 'pino';
import { KeptFds } from 'vkmemd/dist/supervisor/kept-fds.js';
import { inheritedFds, Manager } from 'vkmemd/dist/supervisor/manager.js';
import { DEFAULTS, type Settings } from 'vkmemd/dist/supervisor/settings.js';
import { Supervisor } from 'vkmemd/dist/supervisor/supervisor.js';

const [folder = '', given = '{}', program = ''] = process.argv.slice(2);
const log = pino({ name: 'keeper' }, pino.destination({ dest: 2, sync: true }));
const said: Settings = { ...DEFAULTS, ...JSON.parse(given) };
const manager = new Manager(process.env, (err) => log.warn({ err }, 'the service manager was not told'));
const settings = { ...said, watchdogMs: said.watchdogMs ?? manager.watchdogMs };
const fds = new KeptFds(settings.max);
for (const { name, fd } of inheritedFds(process.env)) fds.add(name, [fd]);
const keeper = new Supervisor(
  { file: process.execPath, args: [program] },
  join(folder, 'notify'),
  fds,
  manager,
  settings,
  log,
);
process.on('SIGTERM', () => keeper.stop());
process.on('SIGHUP', () => keeper.signal('SIGHUP'));
process.on('SIGUSR2', () => keeper.restart());
const status = await keeper.run();
keeper.close();
manager.close();
process.exit(status);
