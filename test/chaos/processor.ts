/**
 * The use of the processors: by this harness and its processes, by others, or idle.
 *
 * A window of latencies is conclusive only if the machine was the harness's: load that attackers cause
 * counts, load of other processes does not. Counted from /proc, in ticks; those of an ended process by its
 * parent. Limit: in a container the kernel counts for the whole host.
 */
import { readFileSync } from 'node:fs';
import { type ProcessState, processes } from './proc.js';

/** Ticks since an arbitrary start. */
export interface Ticks {
  readonly all: number;
  readonly idle: number;
  /** Of our own process and the ones that we have started. */
  readonly own: number;
}

/** The shares of processor time of others, and of idle time, between two moments: 0 to 1. */
export interface Shares {
  readonly foreign: number;
  readonly idle: number;
}

/** From these shares on others interfere: this much is theirs, and this little is idle. */
const MAX_FOREIGN = 0.15;
const MIN_IDLE = 0.15;

/** Whether `pid` is `ancestor` or one of its descendants. */
function descends(all: Map<number, ProcessState>, pid: number, ancestor: number): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 0; at = all.get(at)?.parent) {
    if (at === ancestor) return true;
  }
  return false;
}

export function ticks(): Ticks {
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n');
  // cpu user nice system idle iowait irq softirq steal; guests' time is included in user.
  const counts = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const all = counts.reduce((sum, count) => sum + count, 0);
  const found = processes();
  let own = 0;
  for (const [pid, state] of found) if (descends(found, pid, process.pid)) own += state.ticks;
  return { all, idle: (counts[3] ?? 0) + (counts[4] ?? 0), own };
}

export function sharesBetween(before: Ticks, after: Ticks): Shares {
  const all = Math.max(1, after.all - before.all);
  const idle = (after.idle - before.idle) / all;
  const own = (after.own - before.own) / all;
  return { idle, foreign: Math.max(0, 1 - idle - own) };
}

/** Whether other processes used the machine. */
export const crowded = ({ foreign, idle }: Shares): boolean => foreign > MAX_FOREIGN && idle < MIN_IDLE;
