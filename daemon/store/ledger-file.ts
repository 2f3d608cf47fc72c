/**
 * The ledger on disk: LMDB in a folder of the runtime directory, which is a tmpfs that outlives the service's
 * restarts and not the host's. Nothing is synced: what was written is in the kernel's page cache, which
 * survives a kill of the process, and a host that goes down loses the memory anyway. A write is a
 * transaction: after a kill at any instruction the file is as it was before the write, or after it.
 */
import { closeSync, existsSync, mkdirSync, openSync, readSync } from 'node:fs';
import { VkmemError } from '@vkmemd/proto';
import { type Database, open, type RootDatabase } from 'lmdb';
import {
  type AllocationRecord,
  type HeadRecord,
  type PeerRecord,
  type QuotaRecord,
  type ServerRecord,
  type SessionRecord,
  type StoredGrant,
  type TicketRecord,
  VERSION,
} from './records.js';
import { fromVersion2 } from './upgrade.js';

const HEAD = 'head';
const FILE = 'ledger.mdb';
/** MDB_MAGIC, behind the header of the first page. */
const MAGIC = { at: 24, value: 0xbeefc0de };

/** A record as it is written. */
type Stored<R> = R & { readonly version: number };

/** One kind of record, by id. */
export class Table<K extends string | bigint, R extends object> {
  readonly #database: Database<Stored<R>, string>;

  constructor(database: Database<Stored<R>, string>) {
    this.#database = database;
  }

  put(id: K, record: R): void {
    this.#database.putSync(String(id), { ...record, version: VERSION });
  }

  get(id: K): R | undefined {
    const stored = this.#database.get(String(id));
    return stored && unversioned(stored);
  }

  /** Does nothing where there is none. */
  remove(id: K): void {
    this.#database.removeSync(String(id));
  }

  get all(): R[] {
    return [...this.#database.getRange()].map(({ value }) => unversioned(value));
  }

  /**
   * Writes records of an earlier version in today's form; one that cannot be read is removed.
   * @param idOf under which it is written then. @returns the ids of those that were removed.
   */
  upgrade<O>(upgraded: (record: O) => R, idOf: (record: R) => K | undefined = () => undefined): string[] {
    const unreadable: string[] = [];
    for (const { key, value } of [...this.#database.getRange()]) {
      if (value?.version === VERSION) continue;
      let record: R | undefined;
      try {
        record = upgraded(value as unknown as O);
      } catch {
        unreadable.push(key);
      }
      const id = String((record && idOf(record)) ?? key);
      if (!record || id !== key) this.#database.removeSync(key);
      if (record) this.#database.putSync(id, { ...record, version: VERSION });
    }
    return unreadable;
  }
}

function unversioned<R extends object>({ version: _, ...record }: Stored<R>): R {
  return record as unknown as R;
}

export class LedgerFile {
  readonly allocations: Table<string, AllocationRecord>;
  readonly sessions: Table<bigint, SessionRecord>;
  readonly grants: Table<bigint, StoredGrant>;
  readonly tickets: Table<string, TicketRecord>;
  /** By the tenant's key. */
  readonly quotas: Table<string, QuotaRecord>;
  readonly servers: Table<string, ServerRecord>;
  /** By the server's name and the peer's id. */
  readonly peers: Table<string, PeerRecord>;
  readonly #root: RootDatabase<HeadRecord, string>;
  #unreadable: readonly string[] = [];

  private constructor(root: RootDatabase<HeadRecord, string>) {
    this.#root = root;
    const table = <K extends string | bigint, R extends object>(name: string) =>
      new Table<K, R>(root.openDB<Stored<R>, string>({ name }));
    this.allocations = table('allocations');
    this.sessions = table('sessions');
    this.grants = table('grants');
    this.tickets = table('tickets');
    this.quotas = table('quotas');
    this.servers = table('servers');
    this.peers = table('peers');
  }

  /**
   * Opens the ledger; one of version 2 is written anew in today's form.
   * @param folder made where it does not exist, for this user alone.
   * @throws VkmemError LEDGER_UNREADABLE where it cannot be read, or was written by another version.
   */
  static open(folder: string): LedgerFile {
    let root: RootDatabase<HeadRecord, string> | undefined;
    try {
      mkdirSync(folder, { mode: 0o700, recursive: true });
      requireLmdb(`${folder}/${FILE}`);
      root = open<HeadRecord, string>({ path: `${folder}/${FILE}`, noSync: true, maxDbs: 16 });
      const found = root.get(HEAD);
      if (found === undefined || found.version === VERSION) return new LedgerFile(root);
      if (found.version === 2) {
        const ledger = new LedgerFile(root);
        ledger.#upgrade(found);
        return ledger;
      }
      void root.close();
    } catch (cause) {
      void root?.close();
      throw new VkmemError('LEDGER_UNREADABLE', `${folder}: ${String(cause)}.`, {}, cause);
    }
    throw new VkmemError('LEDGER_UNREADABLE', `${folder} was written by another version of vkmemd.`);
  }

  /** Ids of records that could not be upgraded, and were removed. */
  get unreadable(): readonly string[] {
    return this.#unreadable;
  }

  /** Undefined in a new one. */
  get head(): HeadRecord | undefined {
    return this.#root.get(HEAD);
  }

  set head(record: HeadRecord) {
    this.#root.putSync(HEAD, record);
  }

  /** All that `work` writes is one transaction. */
  together(work: () => void): void {
    this.#root.transactionSync(work);
  }

  close(): Promise<void> {
    return this.#root.close();
  }

  /** From version 2, in one transaction: a kill leaves it as it was, or upgraded. */
  #upgrade(head: HeadRecord): void {
    this.together(() => {
      this.#unreadable = [
        ...this.allocations.upgrade(fromVersion2.allocations),
        ...this.sessions.upgrade(fromVersion2.sessions),
        ...this.grants.upgrade((record: StoredGrant) => record),
        ...this.tickets.upgrade(fromVersion2.tickets),
        ...this.quotas.upgrade(fromVersion2.quotas, ({ tenant }) => tenant),
        ...this.servers.upgrade((record: ServerRecord) => record),
        ...this.peers.upgrade((record: PeerRecord) => record),
      ];
      this.head = { ...head, version: VERSION };
    });
  }
}

/** What is no file of its own LMDB does not survive. @throws Error. */
function requireLmdb(path: string): void {
  if (!existsSync(path)) return;
  const header = Buffer.alloc(MAGIC.at + 4);
  const fd = openSync(path, 'r');
  try {
    const read = readSync(fd, header, 0, header.length, 0);
    // An empty one was made and not written to yet.
    if (read === 0 || header.readUInt32LE(MAGIC.at) === MAGIC.value) return;
  } finally {
    closeSync(fd);
  }
  throw new Error(`${path} is no ledger`);
}
