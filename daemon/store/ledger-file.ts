/**
 * The ledger file: LMDB in a folder of the runtime directory, a tmpfs that outlives restarts of the service
 * but not of the host. Nothing is synced. Written data is in the kernel's page cache, which survives a kill
 * of the process; if the host fails, the memory is lost anyway. Every write is a transaction: after a kill at
 * any instruction the file contains either all of it or nothing of it.
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
/** MDB_MAGIC, which follows the header of the first page. */
const MAGIC = { at: 24, value: 0xbeefc0de };

/** A record as it is stored. */
type Stored<R> = R & { readonly version: number };

/** The records of one kind, by id. */
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

  /** Does nothing if there is no record of this id. */
  remove(id: K): void {
    this.#database.removeSync(String(id));
  }

  get all(): R[] {
    return [...this.#database.getRange()].map(({ value }) => unversioned(value));
  }

  /**
   * Converts records of an earlier version to the current one. Records that cannot be read are removed.
   * @param idOf Returns the new id of a record. Default: the id stays.
   * @returns the ids of the removed records.
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
   * Opens the ledger, and upgrades a ledger of version 2.
   * @param folder Created if it does not exist, with mode 0700.
   * @throws VkmemError LEDGER_UNREADABLE if it cannot be read, or has a version that is not supported.
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
    const reason = `${folder} was written by an incompatible version of vkmemd (readable: 2 and ${VERSION}).`;
    throw new VkmemError('LEDGER_UNREADABLE', reason);
  }

  /** The ids of records that could not be upgraded and were removed. */
  get unreadable(): readonly string[] {
    return this.#unreadable;
  }

  /** Undefined in a new ledger. */
  get head(): HeadRecord | undefined {
    return this.#root.get(HEAD);
  }

  set head(record: HeadRecord) {
    this.#root.putSync(HEAD, record);
  }

  /** Runs `work`, whose writes are one transaction. */
  together(work: () => void): void {
    this.#root.transactionSync(work);
  }

  close(): Promise<void> {
    return this.#root.close();
  }

  /** Upgrades from version 2 in one transaction: a kill leaves the ledger unchanged, or upgraded. */
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

/** Refuses a file that is not LMDB's, which could crash LMDB. @throws Error. */
function requireLmdb(path: string): void {
  if (!existsSync(path)) return;
  const header = Buffer.alloc(MAGIC.at + 4);
  const fd = openSync(path, 'r');
  try {
    const read = readSync(fd, header, 0, header.length, 0);
    // An empty file was created and not written to yet.
    if (read === 0 || header.readUInt32LE(MAGIC.at) === MAGIC.value) return;
  } finally {
    closeSync(fd);
  }
  throw new Error(`${path} is not a ledger (LMDB)`);
}
