/**
 * The processes that were granted write access to publishable memory, and whether one of them has pinned pages.
 *
 * A process that registers memory with an RDMA device pins its pages. The device then writes to them without any
 * mapping or fd, so no seal stops it, and nothing at the memfd shows it. The kernel only counts what a process
 * has pinned in all (VmPin in /proc/PID/status, proc(5)): registrations and buffers of io_uring. So a process
 * that has pinned other memory counts too. Its children count, which may have inherited fds; a process that
 * got the memory in another way does not.
 */
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';

/** Beyond it, processes that have ended are forgotten; those that live are as many as sessions at most. */
const MAX_UNCHECKED = 64;
/** A client may have any number of children. */
const MAX_DESCENDANTS = 256;

/** A process with pinned pages, or with more descendants than are looked at, which may have some. */
export interface Pinning {
  readonly pid: number;
  /** Undefined: not known. */
  readonly bytes: bigint | undefined;
}

/** When it started, in ticks of the clock: with the pid, that identifies a process. Undefined if it has ended. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program, in parentheses, may have spaces. After it comes the third field; this is the 22nd.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/** A file below /proc; '' if the process has ended, or this process may not read it. */
const proc = (path: string): Promise<string> => readFile(`/proc/${path}`, 'latin1').catch(() => '');

async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const found = await Promise.all(threads.map((thread) => proc(`${pid}/task/${thread}/children`)));
  return found.flatMap((text) => text.split(' ').filter((word) => word.trim() !== '')).map(Number);
}

async function pinnedBy(pid: number): Promise<bigint> {
  const [, kib = '0'] = /^VmPin:\s*(\d+) kB$/m.exec(await proc(`${pid}/status`)) ?? [];
  return BigInt(kib) * 1024n;
}

export class Writers {
  /** Their pids, and when they started. */
  readonly #known = new Map<number, string>();
  #max = MAX_UNCHECKED;

  /** @param pid in this process's pid namespace; 0 for a process outside it, which cannot be looked at. */
  note(pid: number): void {
    const start = pid === 0 ? undefined : startOf(pid);
    if (start === undefined) return;
    this.#known.set(pid, start);
    if (this.#known.size <= this.#max) return;
    this.#forgetEnded();
    this.#max = Math.max(MAX_UNCHECKED, this.#known.size * 2);
  }

  /** One of them, or of their descendants, that lives and has pinned pages, or may have. */
  async pinning(): Promise<Pinning | undefined> {
    this.#forgetEnded();
    const all = new Set(this.#known.keys());
    const max = all.size + MAX_DESCENDANTS;
    // A set is iterated in the order of its values, those that are added meanwhile included.
    for (const pid of all) {
      const bytes = await pinnedBy(pid);
      if (bytes > 0n) return { pid, bytes };
      for (const child of await childrenOf(pid)) all.add(child);
      if (all.size > max) return { pid, bytes: undefined };
    }
    return undefined;
  }

  #forgetEnded(): void {
    for (const [pid, start] of this.#known) if (startOf(pid) !== start) this.#known.delete(pid);
  }
}
