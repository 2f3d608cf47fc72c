/** Namespaces for a systemd that a test starts, and the control group on the host that contains it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { MOVED } from '../support/control-group.js';

const NAMESPACES = ['pid', 'mount-proc', 'mount', 'cgroup', 'ipc', 'uts', 'net', 'fork', 'kill-child'];
const UNSHARE = ['unshare', ...NAMESPACES.map((name) => `--${name}`)];
const SYSTEMD = '/lib/systemd/systemd';

/**
 * The arguments with which sh runs a command in namespaces and in this control group: it ends with this
 * process, and everything in it too.
 */
export const apart = (group: string, ...command: string[]): string[] => [
  '-c',
  MOVED,
  group,
  ...['setpriv', '--pdeathsig', 'KILL'],
  ...UNSHARE,
  ...command,
];

/** This process's control group in the unified hierarchy; undefined where there is none. */
export function ownGroup(): string | undefined {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const place = mounts.map((line) => line.split(' ')).find((mount) => mount.includes('cgroup2'))?.[4];
  const path = /^0::(\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  return place === undefined || path === undefined || path.includes('..') ? undefined : join(place, path);
}

/** The reason why systemd cannot be booted here; false where it can. */
export function unbootable(): string | false {
  if (process.getuid?.() !== 0) return 'only root can boot a systemd';
  if (spawnSync(SYSTEMD, ['--version']).status !== 0) return `there is no ${SYSTEMD}`;
  const group = ownGroup();
  if (group === undefined) return 'no unified control groups are mounted';
  const made = join(group, `vkmemd-try-${process.pid}`);
  try {
    mkdirSync(made);
  } catch (failure) {
    return `no control group can be created: ${String(failure)}`;
  }
  try {
    const args = apart(made, 'mount', '-t', 'cgroup2', 'cgroup2', '/sys');
    const { status, stderr } = spawnSync('sh', args, { encoding: 'utf8' });
    return status === 0 ? false : `namespaces are refused: ${stderr.trim()}`;
  } finally {
    rmdirSync(made);
  }
}

/** Removes a control group that contains no process. */
export function removeGroups(group: string): void {
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroups(join(group, entry.name));
  }
  rmdirSync(group);
}
