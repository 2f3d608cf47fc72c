/**
 * Creates a control group for a test where the machine allows it, for processes that belong to none of the
 * machine's services.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { unitOf, unitOfPath } from 'vkmemd/dist/policy/unit.js';

/** A control group of the test. */
export interface UnitGroup {
  /** Processes are moved into it. */
  readonly folder: string;
  /** The unit that its processes belong to. */
  readonly unit: string;
  /** A control group whose processes do not belong to that unit: the test itself may be in it. */
  readonly other: string;
}

/** Creates a control group in a unit, or says why none can be created. */
export function controlGroup(t: Test): UnitGroup | string {
  const own = readFileSync('/proc/self/cgroup', 'utf8');
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const [, , , , place] = mounts.find((mount) => mount.includes('cgroup2')) ?? [];
  const path = /^0::(\/.*)$/m.exec(own)?.[1];
  if (place === undefined || path === undefined) return 'no unified control groups are mounted';
  if (path.includes('..')) return `the test itself is in ${path}, outside its own namespace`;
  const name = `vkmemd-test-${process.pid}.service`;
  const unit = unitOf(own) ?? unitOfPath(join(path, name));
  if (unit === undefined) return `the test itself is in ${path}, which contains no units`;
  const folder = join(place, path, name);
  try {
    mkdirSync(folder);
    t.teardown(() => rmdirSync(folder));
    // The group is usable only if processes can be moved into it.
    const moved = spawnSync('sh', ['-c', MOVED, folder, 'true'], { encoding: 'utf8' });
    const other = unitOf(own) === undefined ? dirname(folder) : place;
    return moved.status === 0 ? { folder, unit, other } : moved.stderr;
  } catch (failure) {
    return String(failure);
  }
}

/** Moves itself into the control group of the first argument, then executes the rest as a command. */
export const MOVED = 'echo $$ >"$0/cgroup.procs" && exec "$@"';

/** A control group below one with a limit of memory, and the file of that limit. */
export interface LimitedGroup {
  /** Processes are moved into it. */
  readonly folder: string;
  readonly limitFile: string;
}

/**
 * Creates a control group whose parent, made for it too, limits memory; or says why none can be created.
 * @param bytes The limit of the parent. The group itself has none.
 */
export function limitedGroup(t: Test, bytes: number): LimitedGroup | string {
  const [mount, limit] = existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes')
    ? ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes']
    : ['/sys/fs/cgroup', 'memory.max'];
  const parent = join(mount, `vkmemd-test-${process.pid}`);
  const folder = join(parent, 'daemon');
  try {
    mkdirSync(parent);
    t.teardown(() => rmdirSync(parent));
    writeFileSync(join(parent, limit), String(bytes));
    if (limit === 'memory.max') writeFileSync(join(parent, 'cgroup.subtree_control'), '+memory');
    mkdirSync(folder);
    t.teardown(() => rmdirSync(folder));
    return { folder, limitFile: join(parent, limit) };
  } catch (failure) {
    return String(failure);
  }
}
