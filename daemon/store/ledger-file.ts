/**
 * The ledger file: LMDB in a folder of the runtime directory, a tmpfs that outlives restarts of the service
 * but not of the host. Nothing is synced. Written data is in the kernel's page cache, which survives a kill
 * of the process; if the host fails, the memory is lost anyway. Every write is a transaction: after a kill at
 * any instruction the file contains either all of it or nothing of it. ledger-writes.ts describes what happens
 * if the file system refuses a write.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { VkmemError } from '@vkmemd/proto';
import { type Database, open, type RootDatabase } from 'lmdb';
import { failpoint } from '#failpoint';
import { slices } from '../limits/slices.js';
import { checks } from './check-record.js';
import { Headroom } from './headroom.js';
import { isFileSystemFault, ledgerFull } from './ledger-fault.js';
import { type LedgerHealth, LedgerWrites, type Write } from './ledger-writes.js';
import {
  type AllocationRecord,
  type HeadRecord,
  type PeerRecord,
  type QuotaRecord,
  type SemaphoreRecord,
  type ServerRecord,
  type SessionRecord,
  type SignalRecord,
  type StoredGrant,
  type TicketRecord,
  VERSION,
} from './records.js';
import { Reserve } from './reserve.js';
import { fromVersion2 } from './upgrade.js';

const HEAD = 'head';
const FILE = 'ledger.mdb';
/** Whose turn it is while a ledger is read, before any tenant is served. */
const START = { key: 'start', name: 'start' };
/** Keys that are read from a table at once. */
const KEYS = 256;
/** The lock file of LMDB with its default of 126 readers, in whole pages. */
const LOCK_FILE_BYTES = 3 * 4096;
/** The part of a small file system that the headroom of the file takes at most. */
const PART_OF_HEADROOM = 16;
/** A new ledger with an empty table of each kind. */
const MIN_BYTES = 64 << 10;
/** MDB_MAGIC, which follows the header of the first page. */
const MAGIC = { at: 24, value: 0xbeefc0de };

/** A record as it is stored. */
type Stored<R> = R & { readonly version: number };

/** A record that cannot be restored, and why. It stays in the ledger. */
export interface Unreadable {
  readonly table: string;
  readonly id: string;
  readonly reason: string;
  /** What the record is, as far as it can be decoded. */
  readonly value: unknown;
}

/** The records of one kind, by id. */
export class Table<K extends string | bigint, R extends object> {
  readonly name: string;
  readonly #database: () => Database<Stored<R>, string>;
  readonly #writes: LedgerWrites;
  readonly #check: (record: R, id: string) => void;

  /** @param check Throws an Error that says what a record lacks. */
  constructor(
    name: string,
    database: () => Database<Stored<R>, string>,
    writes: LedgerWrites,
    check: (record: R, id: string) => void,
  ) {
    this.name = name;
    this.#database = database;
    this.#writes = writes;
    this.#check = check;
  }

  /** As LedgerFile.eventually(), unless it is called within require(). */
  put(id: K, record: R): void {
    this.#writes.add({ table: this.name, id: String(id), record: { ...record, version: VERSION } });
  }

  get(id: K): R | undefined {
    const stored = this.#stored(String(id));
    return stored && unversioned(stored);
  }

  /** Does nothing if there is no record of this id. */
  remove(id: K): void {
    if (this.#stored(String(id))) {
      this.#writes.add({ table: this.name, id: String(id), record: undefined });
    }
  }

  /** The records that can be read. */
  get all(): R[] {
    return this.read(() => {});
  }

  /** Reads each record by itself. @param unreadable Called with each record that cannot be read. */
  read(unreadable: (one: Unreadable) => void): R[] {
    return [...this.each(unreadable)];
  }

  /** read(), a record when it is asked for. Those that are removed meanwhile are left out. */
  *each(unreadable: (one: Unreadable) => void): Generator<R> {
    for (const id of this.#ids()) {
      let value: Stored<R> | undefined;
      let record: R;
      try {
        value = this.#stored(id);
        if (value === undefined) continue;
        if (value.version !== VERSION) throw new Error(`its version is ${value.version}`);
        record = unversioned(value);
        this.#check(record, id);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        unreadable({ table: this.name, id, reason, value });
        continue;
      }
      yield record;
    }
  }

  /**
   * Works on each record, in slices (limits/slices.ts) whose writes are one transaction each.
   * @param unreadable Called with each record that cannot be read.
   */
  eachInSlices(unreadable: (one: Unreadable) => void, work: (record: R) => void): Promise<void> {
    const around = (part: () => void) => this.#writes.eventually(part);
    return slices.run(START, this.each(unreadable), work, { around });
  }

  /**
   * Converts records of version 2. A record that cannot be converted stays as it is.
   * @param idOf Returns the new id of a record. Default: the id stays.
   */
  upgrade<O>(upgraded: (record: O) => R, idOf: (record: R) => K | undefined = () => undefined): void {
    for (const key of [...this.#ids()]) {
      let record: R;
      let id: string;
      try {
        const value = this.#stored(key);
        if (value?.version !== undefined) continue;
        record = upgraded(value as unknown as O);
        id = String(idOf(record) ?? key);
        this.#check(record, id);
      } catch {
        continue; // read() says why.
      }
      if (id !== key) this.remove(key as K);
      this.put(id as K, record);
    }
  }

  /** In the order of the file, a page of keys at a time; last those that are not in the file yet. */
  *#ids(): Generator<string> {
    const unwritten = new Set(this.#writes.ofTable(this.name).map(({ id }) => id));
    for (let start: string | undefined; ; ) {
      const page: string[] = [];
      const after = start === undefined ? {} : { start, exclusiveStart: true };
      for (const key of this.#database().getKeys({ ...after, limit: KEYS })) page.push(key);
      for (const key of page) {
        unwritten.delete(key);
        yield key;
      }
      start = page.at(-1);
      if (page.length < KEYS) break;
    }
    yield* unwritten;
  }

  #stored(id: string): Stored<R> | undefined {
    const write = this.#writes.of(this.name, id);
    return write ? (write.record as Stored<R> | undefined) : this.#database().get(id);
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
  /** By the hash of the secret. */
  readonly signals: Table<string, SignalRecord>;
  readonly semaphores: Table<string, SemaphoreRecord>;
  readonly servers: Table<string, ServerRecord>;
  /** By the server's name and the peer's id. */
  readonly peers: Table<string, PeerRecord>;
  readonly #folder: string;
  readonly #reserve: Reserve;
  readonly #headroom: Headroom;
  readonly #writes: LedgerWrites;
  readonly #databases = new Map<string, Database<object, string>>();
  #root: RootDatabase<object, string>;

  private constructor(folder: string, root: RootDatabase<object, string>) {
    this.#folder = folder;
    this.#root = root;
    this.#reserve = new Reserve(folder);
    this.#headroom = new Headroom(
      `${folder}/${FILE}`,
      () => Number((this.#root.getStats() as { lastPageNumber: number }).lastPageNumber),
      Math.max(1, Math.floor(this.#reserve.fileSystemBytes / PART_OF_HEADROOM / 4096)),
    );
    this.#writes = new LedgerWrites({
      folder,
      reserve: this.#reserve,
      commit: (writes) => this.#commit(writes),
      reopen: () => this.#reopen(),
    });
    const table = <K extends string | bigint, R extends object>(
      name: string,
      check: (record: R, id: string) => void,
    ) => {
      const database = () => this.#database(name) as Database<Stored<R>, string>;
      database();
      return new Table<K, R>(name, database, this.#writes, check);
    };
    this.allocations = table('allocations', checks.allocation);
    this.sessions = table('sessions', checks.session);
    this.grants = table('grants', checks.grant);
    this.tickets = table('tickets', checks.ticket);
    this.quotas = table('quotas', checks.quota);
    this.signals = table('signals', checks.signal);
    this.semaphores = table('semaphores', checks.semaphore);
    this.servers = table('servers', checks.server);
    this.peers = table('peers', checks.peer);
    try {
      this.#reserve.fill();
    } catch {
      // The first write that needs it reports this.
    }
  }

  /**
   * Opens the ledger, and upgrades a ledger of version 2.
   * @param folder Created if it does not exist, with mode 0700.
   * @throws VkmemError LEDGER_UNREADABLE if it cannot be read, or has a version that is not supported;
   *   LEDGER_FULL if the file system has no room for a new ledger, or is read-only.
   */
  static open(folder: string): LedgerFile {
    let root: RootDatabase<object, string> | undefined;
    try {
      mkdirSync(folder, { mode: 0o700, recursive: true });
      requireLmdb(`${folder}/${FILE}`);
      prepareLockFile(`${folder}/${FILE}-lock`);
      root = openRoot(folder);
      const version = versionOf(root);
      if (version === undefined || version === VERSION || version === 2) {
        const ledger = new LedgerFile(folder, root);
        if (version === 2) ledger.#upgrade();
        return ledger;
      }
      void root.close();
    } catch (cause) {
      void root?.close();
      if (isFileSystemFault(cause)) throw ledgerFull(folder, MIN_BYTES, cause);
      throw new VkmemError('LEDGER_UNREADABLE', `${folder}: ${String(cause)}.`, {}, cause);
    }
    const reason = `${folder} was written by an incompatible version of vkmemd (readable: 2 and ${VERSION}).`;
    throw new VkmemError('LEDGER_UNREADABLE', reason);
  }

  /** Undefined in a new ledger, and if the record cannot be read. */
  get head(): HeadRecord | undefined {
    const written = this.#writes.of('', HEAD)?.record as HeadRecord | undefined;
    return written ?? headOf(this.#root);
  }

  set head(record: HeadRecord) {
    this.#writes.add({ table: '', id: HEAD, record });
  }

  /** The state of the file system under the ledger. */
  get health(): LedgerHealth & Pick<LedgerWrites, 'onChange'> {
    return this.#writes;
  }

  /**
   * Performs the writes of `work` in one transaction.
   * @param kept The part of the reserve that stays (ledger-writes.ts). Default: all of it.
   * @throws VkmemError LEDGER_FULL; nothing is written then, neither now nor later.
   */
  require(work: () => void, kept?: number): void {
    this.#writes.require(work, kept);
  }

  /**
   * Performs the writes of `work` in one transaction: now, or as soon as the file system permits. Reads see
   * them at once.
   */
  eventually(work: () => void): void {
    this.#writes.eventually(work);
  }

  async close(): Promise<void> {
    this.#writes.close();
    this.#reserve.close();
    this.#headroom.close();
    await this.#root.close();
  }

  #database(name: string): Database<object, string> {
    if (name === '') return this.#root;
    const known = this.#databases.get(name);
    if (known) return known;
    const database = this.#root.openDB<object, string>({ name });
    this.#databases.set(name, database);
    return database;
  }

  #commit(writes: readonly Write[]): void {
    failpoint('ledger:write');
    this.#headroom.require(writes.length, writes.filter(({ record }) => record).length);
    this.#root.transactionSync(() => {
      for (const { table, id, record } of writes) {
        if (record) this.#database(table).putSync(id, record);
        else this.#database(table).removeSync(id);
      }
    });
    failpoint('ledger:written');
  }

  async #reopen(): Promise<void> {
    await this.#root.close();
    this.#databases.clear();
    this.#root = openRoot(this.#folder);
  }

  /** Upgrades from version 2 in one transaction: a kill leaves the ledger unchanged, or upgraded. */
  #upgrade(): void {
    const head = this.head as HeadRecord;
    this.eventually(() => {
      this.allocations.upgrade(fromVersion2.allocations);
      this.sessions.upgrade(fromVersion2.sessions);
      this.grants.upgrade((record: StoredGrant) => record);
      this.tickets.upgrade(fromVersion2.tickets);
      this.quotas.upgrade(fromVersion2.quotas, ({ tenant }) => tenant);
      this.servers.upgrade((record: ServerRecord) => record);
      this.peers.upgrade((record: PeerRecord) => record);
      this.head = { ...head, version: VERSION };
    });
  }
}

const openRoot = (folder: string): RootDatabase<object, string> =>
  open<object, string>({ path: `${folder}/${FILE}`, noSync: true, maxDbs: 16 });

function headOf(root: RootDatabase<object, string>): HeadRecord | undefined {
  try {
    const { version, restarts } = (root.get(HEAD) ?? {}) as Partial<HeadRecord>;
    if (!Number.isSafeInteger(version)) return undefined;
    return { version: Number(version), restarts: Number.isSafeInteger(restarts) ? Number(restarts) : 0 };
  } catch {
    return undefined;
  }
}

const versionOf = (root: RootDatabase<object, string>): number | undefined => headOf(root)?.version;

/**
 * Writes all pages of the lock file: LMDB maps it, and a page that the file system has no room for would end
 * the process by SIGBUS.
 * @throws Error with an errno.
 */
function prepareLockFile(path: string): void {
  const fd = openSync(path, 'a+', 0o600);
  try {
    const { blocks } = fstatSync(fd);
    if (blocks * 512 >= LOCK_FILE_BYTES) return;
    // No other process uses the file, and LMDB writes its header anew when it opens it.
    ftruncateSync(fd, 0);
    writeSync(fd, Buffer.alloc(LOCK_FILE_BYTES));
  } finally {
    closeSync(fd);
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
