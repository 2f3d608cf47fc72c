/**
 * Who has had the processors: this harness with all that it has started, others, or nobody.
 *
 * A window of latencies says something of the daemon only where the machine was the harness's: what attackers
 * make the daemon do counts, what others do meanwhile does not. Counted from /proc, in ticks: of a process
 * that has ended, by the one that waited for it. Limits: in a container the kernel counts for the whole host.
 */
import { readFileSync } from 'node:fs';
import { type ProcessState, processes } from './proc.js';

/** Ticks since some beginning. */
export interface Ticks {
  readonly all: number;
  readonly idle: number;
  /** Of processes that we have started, and our own. */
  readonly own: number;
}

/**
 * What of the processors' time was somebody else's, and what nobody's, from one moment to another: 0 to 1.
 */
export interface Shares {
  readonly foreign: number;
  readonly idle: number;
}

/** From there on others are in the way: so much is theirs, and so little is left. */
const MAX_FOREIGN = 0.15;
const MIN_IDLE = 0.15;

/** Whether `pid` is `ancestor`, or was started by it or by one that it started. */
function descends(all: Map<number, ProcessState>, pid: number, ancestor: number): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 0; at = all.get(at)?.parent) {
    if (at === ancestor) return true;
  }
  return false;
}

export function ticks(): Ticks {
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n');
  // cpu user nice system idle iowait irq softirq steal; guests' time is in user's already.
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

/** Whether somebody else had the machine. */
export const crowded = ({ foreign, idle }: Shares): boolean => foreign > MAX_FOREIGN && idle < MIN_IDLE;
