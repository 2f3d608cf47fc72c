/**
 * What limits the memory of this process on this host: its control groups (v2 and v1, each level above it), the
 * address space, and the memory that the machine has left. Whatever exceeds the first of them is refused by the
 * kernel in its own way: a control group's limit, and the machine's, end the process.
 *
 * Page cache counts as available, as far as the kernel can reclaim it soon: inactive pages, and half of the active
 * ones. Swap counts as far as the group may use it.
 *
 * Limits: files are read each time, and a group's limit may change, or others in it may use memory, right after.
 * Groups above a mount or a namespace's root are not seen.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The strictest limit at this moment. */
export interface HostLimit {
  /** Bytes that may still be allocated; at least 0. */
  readonly bytes: bigint;
  /** The file or the resource limit, for texts; empty if there is no limit. */
  readonly limit: string;
}

/** What this process itself needs meanwhile, in bytes. */
const MARGIN = 32n << 20n;
const UNLIMITED: HostLimit = { bytes: 2n ** 63n - 1n, limit: '' };
/** From here on a limit of v1 means none: it is the largest multiple of the page size. */
const NO_LIMIT_V1 = 2n ** 62n;

/** A control group that this process is in. */
interface Group {
  readonly folder: string;
  readonly version: 1 | 2;
}

export class HostMemory {
  readonly #root: string;
  /** The text of /proc/self/cgroup, and the groups that it means. */
  #groups: { readonly text: string; readonly found: readonly Group[] } | undefined;

  /** @param root the folder that holds proc and sys. */
  constructor(root = '/') {
    this.#root = root;
  }

  /** Reads all limits. */
  left(): HostLimit {
    const free = this.#values('proc/meminfo', ':');
    const swap = kib(free.get('SwapFree')) ?? 0n;
    const limits = this.#memberships().map((group) => this.#ofGroup(group, swap));
    const available = kib(free.get('MemAvailable'));
    const machine = available !== undefined && {
      bytes: available + swap,
      limit: 'MemAvailable of /proc/meminfo',
    };
    return [machine, this.#ofAddressSpace(), ...limits.flat()].reduce<HostLimit>(
      (least, one) => (one && one.bytes < least.bytes ? one : least),
      UNLIMITED,
    );
  }

  /** RLIMIT_FSIZE, which a memfd must not exceed; undefined if there is none. */
  get largestFile(): bigint | undefined {
    return this.#resourceLimit('Max file size');
  }

  #ofAddressSpace(): HostLimit | undefined {
    const max = this.#resourceLimit('Max address space');
    if (max === undefined) return undefined;
    const used = kib(this.#values('proc/self/status', ':').get('VmSize')) ?? 0n;
    return limitOf('RLIMIT_AS', max - used);
  }

  #resourceLimit(name: string): bigint | undefined {
    const line = (this.#read('proc/self/limits') ?? '').split('\n').find((each) => each.startsWith(name));
    const [soft] = line?.slice(name.length).trim().split(/\s+/) ?? [];
    return number(soft);
  }

  /** The limits of one group. */
  #ofGroup({ folder, version }: Group, swapFree: bigint): HostLimit[] {
    return version === 2 ? this.#ofUnified(folder, swapFree) : this.#ofMemoryController(folder, swapFree);
  }

  #ofUnified(folder: string, swapFree: bigint): HostLimit[] {
    const limits = ['memory.max', 'memory.high'].flatMap((name) => {
      const max = number(this.#read(join(folder, name)));
      return max === undefined ? [] : [{ name, max }];
    });
    if (limits.length === 0) return [];
    const used = number(this.#read(join(folder, 'memory.current'))) ?? 0n;
    const stat = this.#values(join(folder, 'memory.stat'), ' ');
    const cache = reclaimable(stat, '') + (number(stat.get('slab_reclaimable')) ?? 0n);
    const swapMax = number(this.#read(join(folder, 'memory.swap.max')));
    const swapUsed = number(this.#read(join(folder, 'memory.swap.current'))) ?? 0n;
    const swap = swapMax === undefined ? swapFree : smaller(swapFree, atLeastZero(swapMax - swapUsed));
    return limits.map(({ name, max }) => limitOf(`/${join(folder, name)}`, max - used + cache + swap));
  }

  #ofMemoryController(folder: string, swapFree: bigint): HostLimit[] {
    const limits = [
      { name: 'memory.limit_in_bytes', usage: 'memory.usage_in_bytes', swap: swapFree },
      { name: 'memory.memsw.limit_in_bytes', usage: 'memory.memsw.usage_in_bytes', swap: 0n },
    ];
    return limits.flatMap(({ name, usage, swap }) => {
      const max = number(this.#read(join(folder, name)));
      if (max === undefined || max >= NO_LIMIT_V1) return [];
      const used = number(this.#read(join(folder, usage))) ?? 0n;
      const cache = reclaimable(this.#values(join(folder, 'memory.stat'), ' '), 'total_');
      return limitOf(`/${join(folder, name)}`, max - used + cache + swap);
    });
  }

  /** The groups of this process and all above them. It may have been moved. */
  #memberships(): readonly Group[] {
    const text = this.#read('proc/self/cgroup') ?? '';
    if (this.#groups?.text !== text) this.#groups = { text, found: this.#find(text) };
    return this.#groups.found;
  }

  #find(text: string): Group[] {
    const mounts = (this.#read('proc/self/mountinfo') ?? '').split('\n').map((line) => line.split(' '));
    const unified = /^0::(.*)$/m.exec(text)?.[1];
    const controller = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(text)?.[1];
    const found: Group[] = [];
    for (const fields of mounts) {
      const [, , , root = '', place = ''] = fields;
      const [type, , options = ''] = fields.slice(fields.indexOf('-') + 1);
      const isController = type === 'cgroup' && options.split(',').includes('memory');
      const path = type === 'cgroup2' ? unified : isController ? controller : undefined;
      if (path === undefined) continue;
      const mount = place.slice(1);
      for (let at = within(root, path); ; at = dirname(at)) {
        const folder = join(mount, at);
        if (existsSync(join(this.#root, folder))) found.push({ folder, version: type === 'cgroup2' ? 2 : 1 });
        if (at === '/') break;
      }
    }
    return found;
  }

  /** The lines of a file, by what is before the separator. */
  #values(path: string, separator: string): ReadonlyMap<string, string> {
    const lines = (this.#read(path) ?? '').split('\n');
    return new Map(
      lines.map((line) => {
        const at = line.indexOf(separator);
        return [line.slice(0, at), line.slice(at + separator.length).trim()] as const;
      }),
    );
  }

  /** Undefined if there is no such file, or it is hidden. */
  #read(path: string): string | undefined {
    try {
      return readFileSync(join(this.#root, path), 'utf8').trim();
    } catch {
      return undefined;
    }
  }
}

/** Where a group is below a mount that shows only `root` of the hierarchy; at the mount, if it is not in that. */
function within(root: string, path: string): string {
  if (root === '/') return path;
  return path.startsWith(`${root}/`) ? path.slice(root.length) : '/';
}

/** Undefined for `max` and `unlimited`. */
const number = (text: string | undefined): bigint | undefined =>
  text !== undefined && /^\d+$/.test(text) ? BigInt(text) : undefined;

/** Of `1024 kB`. */
const kib = (text: string | undefined): bigint | undefined => {
  const value = number(text?.replace(/ kB$/, ''));
  return value === undefined ? undefined : value * 1024n;
};

const atLeastZero = (bytes: bigint): bigint => (bytes < 0n ? 0n : bytes);
const smaller = (one: bigint, other: bigint): bigint => (one < other ? one : other);
const limitOf = (limit: string, bytes: bigint): HostLimit => ({ bytes: atLeastZero(bytes - MARGIN), limit });

/** Bytes of page cache that a group can lose soon. */
function reclaimable(stat: ReadonlyMap<string, string>, prefix: '' | 'total_'): bigint {
  const of = (name: string) => number(stat.get(`${prefix}${name}`)) ?? 0n;
  return of('inactive_file') + of('active_file') / 2n;
}
