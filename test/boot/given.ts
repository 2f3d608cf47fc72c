/**
 * The files of a booted system besides the host's /usr (boot.sh): users, the units of systemd/, drop-ins with
 * the paths of the programs, and the few units of systemd's own that these need.
 */
import { chmodSync, copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lavapipe, root } from '../support/daemon.js';
import { NODE, ORDERS, PROGRAMS, TREE } from './places.js';

const UNITS = 'etc/systemd/system';
const HOSTS = '/usr/lib/systemd/system';
const JOURNAL = ['systemd-journald.service', 'systemd-journald.socket', 'systemd-journald-dev-log.socket'];
const SOCKETS = ['handoff', 'control', 'admin'].map((plane) => `vkmemd-${plane}.socket`);

/** Required by the units, but empty here. */
const EMPTY = ['sysinit', 'basic', 'sockets', 'multi-user', 'shutdown'].map((name) => `${name}.target`);
const nothing = '[Unit]\nDefaultDependencies=no\n';

const BOOT = `[Unit]
DefaultDependencies=no
Requires=systemd-journald.service ${SOCKETS.join(' ')}
After=systemd-journald.service ${SOCKETS.join(' ')}
`;

/**
 * Plain services run their worker as a user; the sandboxed one is the example unit with its program replaced.
 */
const WORKER = `[Unit]
Requires=vkmemd-handoff.socket vkmemd-control.socket
After=vkmemd-handoff.socket vkmemd-control.socket

[Service]
Type=exec
User=worker
ExecStart=${NODE} ${PROGRAMS}/worker.js %i
LimitCORE=0
`;
const SANDBOXED = `[Service]
DynamicUser=no
User=worker
ExecStart=
ExecStart=${NODE} ${PROGRAMS}/worker.js 0
Restart=no
BindReadOnlyPaths=${ORDERS}
`;

const USERS = `u worker - "A member" / /usr/sbin/nologin
u outsider - "No member" / /usr/sbin/nologin
m worker vkmem
`;

/** Lines of a drop-in that replace the daemon's program. */
export const programIn = (tree: string): string =>
  `ExecStart=\nExecStart=${NODE} ${tree}/daemon/bin/vkmemd.js --log-level debug\n` +
  `ExecReload=\nExecReload=${NODE} ${tree}/daemon/bin/vkmemd.js --check-config\nExecReload=/bin/sh -c 'kill -HUP $MAINPID'\n`;

const daemonDropIn = (): string =>
  `[Service]\n${programIn(TREE)}Environment=VK_DRIVER_FILES=${lavapipe()}\nLimitCORE=0\n`;

/** @param more, files as Booted.start(). */
export function writeGiven(folder: string, more: string, files: Readonly<Record<string, string>>): void {
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  put('etc/machine-id', `${'0123456789abcdef'.repeat(2)}\n`);
  put('etc/nsswitch.conf', 'passwd: files\ngroup: files\n');
  put('etc/sysusers.d/boot.conf', USERS);
  put('etc/tmpfiles.d/orders.conf', `d ${ORDERS} 0755 root root -\n`);
  for (const kind of ['sysusers.d', 'tmpfiles.d']) {
    copyFileSync(join(root, 'systemd', kind, 'vkmemd.conf'), join(folder, 'etc', kind, 'vkmemd.conf'));
  }
  put(`${UNITS}/boot.target`, BOOT);
  put(`${UNITS}/worker@.service`, WORKER);
  put(`${UNITS}/vkmemd-worker-example.service.d/boot.conf`, SANDBOXED);
  put(`${UNITS}/vkmemd.service.d/boot.conf`, daemonDropIn() + more);
  for (const target of EMPTY) put(`${UNITS}/${target}`, nothing);
  for (const [path, text] of Object.entries(files)) {
    put(path, text);
    if (path.includes('generators/')) chmodSync(join(folder, path), 0o755);
  }
  for (const unit of JOURNAL) symlinkSync(join(HOSTS, unit), join(folder, UNITS, unit));
  for (const unit of readdirSync(join(root, 'systemd')).filter((name) => /\.(service|socket)$/.test(name))) {
    copyFileSync(join(root, 'systemd', unit), join(folder, UNITS, unit));
  }
}
