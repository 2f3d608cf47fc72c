/**
 * The ledger on disk: LMDB in a folder of the runtime directory, which is a tmpfs that outlives the service's restarts
 * and not the host's. Nothing is synced: what was written is in the kernel's page cache, which a process that is killed
 * cannot take back, and a host that goes down takes the memory with it anyway. A write is a transaction: after a kill at
 * any instruction the file is as it was before it, or after it.
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

const HEAD = 'head';
const FILE = 'ledger.mdb';
/** MDB_MAGIC, behind the header of the first page. */
const MAGIC = { at: 24, value: 0xbeefc0de };

/** One kind of record, by id. */
export class Table<K extends string | bigint, R> {
  readonly #database: Database<R, string>;

  constructor(database: Database<R, string>) {
    this.#database = database;
  }

  put(id: K, record: R): void {
    this.#database.putSync(String(id), record);
  }

  get(id: K): R | undefined {
    return this.#database.get(String(id));
  }

  /** Does nothing where there is none. */
  remove(id: K): void {
    this.#database.removeSync(String(id));
  }

  get all(): R[] {
    return [...this.#database.getRange()].map(({ value }) => value);
  }
}

export class LedgerFile {
  readonly allocations: Table<string, AllocationRecord>;
  readonly sessions: Table<bigint, SessionRecord>;
  readonly grants: Table<bigint, StoredGrant>;
  readonly tickets: Table<string, TicketRecord>;
  readonly quotas: Table<bigint, QuotaRecord>;
  readonly servers: Table<string, ServerRecord>;
  /** By the server's name and the peer's id. */
  readonly peers: Table<string, PeerRecord>;
  readonly #root: RootDatabase<HeadRecord, string>;

  private constructor(root: RootDatabase<HeadRecord, string>) {
    this.#root = root;
    this.allocations = new Table(root.openDB<AllocationRecord, string>({ name: 'allocations' }));
    this.sessions = new Table(root.openDB<SessionRecord, string>({ name: 'sessions' }));
    this.grants = new Table(root.openDB<StoredGrant, string>({ name: 'grants' }));
    this.tickets = new Table(root.openDB<TicketRecord, string>({ name: 'tickets' }));
    this.quotas = new Table(root.openDB<QuotaRecord, string>({ name: 'quotas' }));
    this.servers = new Table(root.openDB<ServerRecord, string>({ name: 'servers' }));
    this.peers = new Table(root.openDB<PeerRecord, string>({ name: 'peers' }));
  }

  /**
   * @param folder made where it does not exist, for this user alone.
   * @throws VkmemError LEDGER_UNREADABLE where what is there cannot be read, or was written by another version.
   */
  static open(folder: string): LedgerFile {
    let root: RootDatabase<HeadRecord, string>;
    try {
      mkdirSync(folder, { mode: 0o700, recursive: true });
      requireLmdb(`${folder}/${FILE}`);
      root = open<HeadRecord, string>({ path: `${folder}/${FILE}`, noSync: true, maxDbs: 16 });
      const found = root.get(HEAD);
      if (found === undefined || found.version === VERSION) return new LedgerFile(root);
      void root.close();
    } catch (cause) {
      throw new VkmemError('LEDGER_UNREADABLE', `${folder}: ${String(cause)}.`, {}, cause);
    }
    throw new VkmemError('LEDGER_UNREADABLE', `${folder} was written by another version of vkmemd.`);
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
