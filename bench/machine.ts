/**
 * The processors that the benchmark runs on, and their description.
 *
 * Daemon, client and floor are pinned to one processor by default: a wake-up on another processor costs 20 to
 * 50 us on a virtual machine, more than what is measured.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants, cpus, setPriority } from 'node:os';

/** What was measured where. Figures of different machines are not comparable; ratios are, roughly. */
export interface Machine {
  /** The processor's model. */
  readonly cpu: string;
  /** The processors that daemon, client and floor ran on, such as `1` or `0,1`. */
  readonly pinnedTo: string;
  readonly cpus: number;
  /** The kernel's release. */
  readonly kernel: string;
  readonly node: string;
}

/** The numbers in a list such as `0-2,5`. */
export function numbersOf(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** The processors that this process may use. */
export function allowed(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))?.[1];
  if (!list) throw new Error('/proc/thread-self/status does not list the allowed processors');
  return numbersOf(list);
}

/**
 * Pins this process, all its threads and whatever it starts from now on.
 * @param count of processors. The last allowed ones are taken, since the first serves most interrupts.
 * @throws Error where this process may use fewer, or without taskset.
 */
export function pin(count: number): string {
  const all = allowed();
  if (count > all.length) throw new Error(`--cpus ${count}: this process may use ${all.length} processors`);
  const list = all.slice(-count).join(',');
  pinProcess(process.pid, list);
  if (allowed().join(',') !== list) throw new Error(`taskset did not pin this process to ${list}`);
  return list;
}

/** Pins a process, with all its threads, to processors such as `1` or `0,1`. */
export function pinProcess(pid: number, list: string): void {
  const args = ['--all-tasks', '--cpu-list', '--pid', list, String(pid)];
  execFileSync('taskset', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/**
 * Gives this process, and whatever it starts from now on, priority over others on its processors.
 * @returns whether the user may do so: root may.
 */
export function prioritize(): boolean {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
    return true;
  } catch {
    return false;
  }
}

export function describe(pinnedTo: string): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    pinnedTo,
    cpus: all.length,
    kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
    node: process.version,
  };
}
