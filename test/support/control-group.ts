/**
 * A control group of a test's own, where the machine lets one be made: for units that are no service of the
 * machine's.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { unitOf, unitOfPath } from 'vkmemd/dist/policy/unit.js';

/** A control group of the test, and the unit of what is in it; why there is none where none can be made. */
export function controlGroup(t: Test): { folder: string; unit: string } | string {
  const own = readFileSync('/proc/self/cgroup', 'utf8');
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const [, , , , place] = mounts.find((mount) => mount.includes('cgroup2')) ?? [];
  const path = /^0::(\/.*)$/m.exec(own)?.[1];
  if (place === undefined || path === undefined) return 'no unified control groups are mounted';
  if (path.includes('..')) return `the test itself is in ${path}, outside of its own namespace`;
  const name = `vkmemd-test-${process.pid}.service`;
  const unit = unitOf(own) ?? unitOfPath(join(path, name));
  if (unit === undefined) return `the test itself is in ${path}, where no units are`;
  const folder = join(place, path, name);
  try {
    mkdirSync(folder);
    t.teardown(() => rmdirSync(folder));
    // Only where processes may be moved does it serve.
    const moved = spawnSync('sh', ['-c', MOVED, folder, 'true'], { encoding: 'utf8' });
    return moved.status === 0 ? { folder, unit } : moved.stderr;
  } catch (failure) {
    return String(failure);
  }
}

/** Becomes a command in the control group of the first argument. */
export const MOVED = 'echo $$ >"$0/cgroup.procs" && exec "$@"';
