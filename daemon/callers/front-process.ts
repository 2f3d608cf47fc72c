/**
 * The front as a process of its own: this Node.js with the front's program, started by the launcher, which
 * confines it. Its only fds are the standard streams and the link.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ChildProcess, LAUNCHER_EXIT, launcherPath, type OwnedFd } from '@vkmemd/proto';
import { EX_TEMPFAIL } from '../exit-status.js';
import type { FrontInstance, Scheduled } from '../link/front-instance.js';
import { version } from '../version.js';

const PROGRAM = new URL('../../bin/front.js', import.meta.url);
/** The share of its memory that V8's heap may have: a heap that grows beyond it ends the process. */
const HEAP_SHARE = 0.75;
const MIB = 1024 * 1024;
/**
 * A small young generation: it is collected often, and with it the bytes of answers that were sent, of which V8 would
 * otherwise keep 64 MiB.
 */
const YOUNG = '--max-semi-space-size=1';
/** Read when the core starts: an upgrade may replace the files later. */
const VERSION = version();
/**
 * Of glibc, mallopt(3): the parts of large answers are freed at once, instead of staying resident between used
 * blocks of many arenas.
 */
const MALLOC = ['MALLOC_ARENA_MAX=1', 'MALLOC_MMAP_THRESHOLD_=32768', 'MALLOC_TRIM_THRESHOLD_=131072'];
/** Of the times in /proc: USER_HZ is 100 on x86-64 and arm64. */
const MS_PER_TICK = 10;
/** Why it ended, by the status. The launcher writes details to standard error. */
const ENDS: ReadonlyMap<string, string> = new Map([
  [`exit status ${EX_TEMPFAIL}`, 'its program is of another version: restart the daemon'],
  [`exit status ${LAUNCHER_EXIT.NOT_CONFINED}`, 'it cannot be confined; see standard error'],
  [`exit status ${LAUNCHER_EXIT.NOT_EXECUTED}`, 'its program cannot be executed; see standard error'],
]);

/** @throws KernelError if the process cannot be started. */
export function spawnFront(link: OwnedFd, maxBytes: number): FrontInstance {
  const heap = Math.floor((maxBytes * HEAP_SHARE) / MIB);
  const args = [`--max-old-space-size=${heap}`, YOUNG, fileURLToPath(PROGRAM), VERSION];
  const program = { file: launcherPath(), args: [process.execPath, ...args], environment: MALLOC };
  const child = new ChildProcess(program, link);
  link.close();
  const { pid } = child;
  const exited = child.exited.then((how) => ENDS.get(how) ?? how);
  return {
    pid,
    exited,
    kill: () => child.kill(),
    residentBytes: () => residentBytes(pid),
    scheduled: () => scheduled(pid),
  };
}

/** The resident memory of a process in bytes; 0 where it is not known, such as of one that has ended. */
function residentBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function scheduled(pid: number): Scheduled | undefined {
  try {
    const threads = readdirSync(`/proc/${pid}/task`).map((thread) => stateOf(`${pid}/task/${thread}`));
    const { ranMs } = stateOf(String(pid));
    return { runnable: threads.some(({ state }) => state === 'R'), ranMs };
  } catch {
    return undefined;
  }
}

/** See proc_pid_stat(5). The times of a process are those of all its threads. */
function stateOf(task: string): { readonly state: string | undefined; readonly ranMs: number } {
  const stat = readFileSync(`/proc/${task}/stat`, 'latin1');
  // The name before it may have spaces.
  const [state, ...rest] = stat.slice(stat.lastIndexOf(') ') + 2).split(' ');
  return { state, ranMs: (Number(rest[10]) + Number(rest[11])) * MS_PER_TICK };
}
