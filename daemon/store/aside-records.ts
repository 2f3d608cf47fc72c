/**
 * The records that a start could not restore. They stay in the ledger, and their fds in the fd store, for a
 * later start: of the version that wrote them, or after the record that they conflict with is gone.
 */
import { closeAll, VkmemError } from '@vkmemd/proto';
import type { SetAside } from '../memory/persistence.js';
import type { InheritedFds } from './inherited-fds.js';
import type { Unreadable } from './ledger-file.js';
import { nameOfSession } from './names.js';
import type { StoredFds } from './stored-fds.js';

/** What the records of a table are, and the first characters of the names of their fds (names.ts). */
const KINDS: Readonly<Record<string, { readonly what: string; readonly prefixes: string }>> = {
  allocations: { what: 'allocation', prefixes: 'ab' },
  sessions: { what: 'session', prefixes: '' },
  grants: { what: 'grant', prefixes: '' },
  tickets: { what: 'ticket', prefixes: '' },
  quotas: { what: 'quota', prefixes: '' },
  signals: { what: 'signal', prefixes: 'ef' },
  semaphores: { what: 'semaphore', prefixes: 'm' },
  servers: { what: 'ivshmem server', prefixes: 'v' },
  peers: { what: 'ivshmem peer', prefixes: 'v' },
};

export function reasonOf(failure: unknown): string {
  if (failure instanceof VkmemError) return failure.reason || failure.code;
  return failure instanceof Error ? failure.message : String(failure);
}

export class AsideRecords {
  readonly #fds: StoredFds;
  readonly #records = new Map<string, SetAside>();
  /** The names of their fds. */
  readonly #names = new Set<string>();
  /** The first characters of the names of fds that may be theirs: a damaged record may name another fd. */
  #prefixes = '';

  constructor(fds: StoredFds) {
    this.#fds = fds;
  }

  get all(): SetAside[] {
    return [...this.#records.values()];
  }

  has(table: string, id: string | bigint | undefined): boolean {
    return id !== undefined && this.#records.has(`${table}/${id}`);
  }

  add({ table, id, reason, value }: Unreadable): void {
    const { what, prefixes } = KINDS[table] ?? { what: table, prefixes: '' };
    this.#records.set(`${table}/${id}`, { what, id, reason });
    if (table === 'sessions' && /^\d{1,20}$/.test(id)) this.#names.add(nameOfSession(BigInt(id)));
    this.keep(value);
    this.#prefixes += prefixes;
  }

  /** Restores one record by `work`; if that fails, the record is set aside. */
  guard(record: Omit<Unreadable, 'reason'>, work: () => void): void {
    try {
      work();
    } catch (failure) {
      this.add({ ...record, reason: reasonOf(failure) });
    }
  }

  /** Keeps the fds that a record names, which may be of any form. */
  keep(value: unknown): void {
    for (const name of namesIn(value)) this.#names.add(name);
  }

  /** Closes this process's copies of their fds, which stay stored. Called before unknown fds are released. */
  adopt(inherited: InheritedFds): void {
    for (const name of inherited.names) {
      if (!this.#names.has(name) && !this.#prefixes.includes(name[0] ?? ' ')) continue;
      const fds = inherited.remove(name);
      if (!this.#fds.has(name)) this.#fds.adopt(name, undefined, fds.length);
      closeAll(fds);
    }
  }
}

/** The names of fds in a record of an allocation, of a signal, of a semaphore, of an ivshmem server or of a peer. */
function namesIn(value: unknown): string[] {
  const { fds, name, names } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const entries = Array.isArray(fds) ? fds.map((fd: { name?: unknown } | null) => fd?.name) : [];
  const all = [...entries, name, ...(Array.isArray(names) ? names : [])];
  return all.filter((each): each is string => typeof each === 'string' && /^[abefmv]/.test(each));
}
