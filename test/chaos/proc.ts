/**
 * The state of a process in /proc: its fds, its open and mapped memory files, its resident memory; of all
 * processes; and of the connections to a Unix socket.
 */
import { type BigIntStats, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

export interface OpenFile {
  readonly fd: number;
  /** The target of the link, such as `socket:[123]` or `/memfd:frames (deleted)`. */
  readonly link: string;
}

/** A memfd that a process has open. */
export interface MemoryFile {
  readonly inode: bigint;
  readonly size: bigint;
  /** The bytes allocated to it. */
  readonly allocated: bigint;
}

/** Kilobytes. */
export interface Resident {
  readonly total: number;
  readonly anonymous: number;
  readonly file: number;
  readonly shared: number;
}

/** The result of `read`; undefined if the process, or that fd, no longer exists. */
function whileThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (failure) {
    const { code } = failure as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw failure;
  }
}

export function filesOf(pid: number): OpenFile[] {
  const fds = whileThere(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return fds.flatMap((fd) => {
    const link = whileThere(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
    return link === undefined ? [] : [{ fd: Number(fd), link }];
  });
}

const isMemory = ({ link }: OpenFile): boolean => link.startsWith('/memfd:');

export function memoryFilesOf(pid: number): MemoryFile[] {
  return filesOf(pid)
    .filter(isMemory)
    .flatMap(({ fd }) => {
      const found: BigIntStats | undefined = whileThere(() =>
        statSync(`/proc/${pid}/fd/${fd}`, { bigint: true }),
      );
      return found ? [{ inode: found.ino, size: found.size, allocated: found.blocks * 512n }] : [];
    });
}

/** The inodes of memfds that a process has mapped or open. */
export function memoryHeldBy(pid: number): Set<bigint> {
  const maps = whileThere(() => readFileSync(`/proc/${pid}/maps`, 'latin1')) ?? '';
  const mapped = [...maps.matchAll(/ (\d+) +\/memfd:/g)].map(([, inode = '0']) => BigInt(inode));
  return new Set([...mapped, ...memoryFilesOf(pid).map(({ inode }) => inode)]);
}

/** @throws Error if the process has ended. */
export function residentOf(pid: number): Resident {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const value = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]);
  return {
    total: value('VmRSS'),
    anonymous: value('RssAnon'),
    file: value('RssFile'),
    shared: value('RssShmem'),
  };
}

export interface ProcessState {
  readonly parent: number;
  /** Ticks of processor time of it and of its reaped children. */
  readonly ticks: number;
}

/** Every process, by its pid. */
export function processes(): Map<number, ProcessState> {
  const found = new Map<number, ProcessState>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = whileThere(() => readFileSync(`/proc/${name}/stat`, 'latin1'));
    if (stat === undefined) continue;
    // pid (name), then from field 3: state ppid ... utime(14) stime cutime cstime
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, text) => sum + Number(text), 0);
    found.set(Number(name), { parent: Number(fields[1]), ticks });
  }
  return found;
}

/** The inodes of the accepted sockets of connections to the socket at a path. */
export function acceptedAt(path: string): Set<string> {
  const lines = readFileSync('/proc/net/unix', 'latin1').split('\n');
  const CONNECTED = '03';
  const found = lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , , , state, inode, at]) => at === path && state === CONNECTED && inode !== '0')
    .map(([, , , , , , inode = '']) => inode);
  return new Set(found);
}
