/**
 * The writes to the ledger, and what happens if the file system refuses them.
 *
 * A change that is new (an allocation, a grant, a ticket) is required: if it cannot be written, the request
 * fails and nothing changes. What ends something (a release, the end of a session) must not fail: such a write
 * stays pending, the latest for each record, and is retried until it succeeds. Reads see pending writes. A
 * required write is one transaction with all pending ones, so the file never has a later change without an
 * earlier one.
 */
import type { VkmemError } from '@vkmemd/proto';
import { isLackOfRoom, ledgerFull, nameOfFault, needsReopening } from './ledger-fault.js';
import type { Reserve } from './reserve.js';

/** The estimated room for one more record, and for one more transaction (pages of LMDB are copied on write). */
const BYTES_OF_RECORD = 4096;
const BYTES_OF_TRANSACTION = 4 * BYTES_OF_RECORD;
/** More than LMDB writes in one go for a transaction of a few records. */
const PROBED_BYTES = 64 << 10;
/**
 * The part of the reserve that a write leaves. New memory needs a full reserve; grants of existing memory may
 * take half of it; the rest is for the ends of grants and memory, which make room.
 */
export const KEPT_BY = { MEMORY: 1, GRANTS: 0.5, ENDS: 0 } as const;
/** The pending writes of one transaction while room is short. */
const SLICE = 16;
const RETRY = { firstMs: 100, maxMs: 5000 };

/** A write of one record: the record, or undefined to remove it. */
export interface Write {
  readonly table: string;
  readonly id: string;
  readonly record: object | undefined;
}

type Batch = Map<string, Write>;

/** The file that is written to. */
interface Target {
  readonly folder: string;
  readonly reserve: Reserve;
  /** Performs all writes in one transaction, or none. @throws Error with an errno or a code of LMDB. */
  commit(writes: readonly Write[]): void;
  /** Opens LMDB again, after it has refused all further writes. */
  reopen(): Promise<void>;
}

/** The state of the file system under the ledger. */
export interface LedgerHealth {
  /** Why the last write failed; undefined if everything is written. */
  readonly failure: { readonly error: VkmemError; readonly at: number } | undefined;
  /** Writes that wait for the file system. */
  readonly pending: number;
  /** How many writes have failed. */
  readonly failures: number;
}

const roomFor = (records: number): number => BYTES_OF_TRANSACTION + records * BYTES_OF_RECORD;
const keyOf = (table: string, id: string): string => `${table}/${id}`;

export class LedgerWrites implements LedgerHealth {
  readonly #target: Target;
  readonly #pending: Batch = new Map();
  readonly #listeners: (() => void)[] = [];
  #batch: Batch | undefined;
  #failure: LedgerHealth['failure'];
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #waitMs = RETRY.firstMs;
  /** The room that the last refused write needed. */
  #needed = 0;
  #broken = false;
  #closed = false;

  constructor(target: Target) {
    this.#target = target;
  }

  get failure(): LedgerHealth['failure'] {
    return this.#failure;
  }

  get pending(): number {
    return this.#pending.size;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Calls the listener when writes begin to fail, and when all is written again. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** The write of this record that is not in the file yet. */
  of(table: string, id: string): Write | undefined {
    const key = keyOf(table, id);
    return this.#batch?.get(key) ?? this.#pending.get(key);
  }

  /** The writes of a table that are not in the file yet. */
  ofTable(table: string): Write[] {
    const all = new Map([...this.#pending, ...(this.#batch ?? [])]);
    return [...all.values()].filter((write) => write.table === table);
  }

  add(write: Write): void {
    this.eventually(() => this.#batch?.set(keyOf(write.table, write.id), write));
  }

  /**
   * Performs the writes of `work` in one transaction.
   * @param kept The part of the reserve that stays for more important writes: MEMORY, GRANTS or ENDS.
   * @throws VkmemError LEDGER_FULL; nothing is written then, neither now nor later.
   */
  require(work: () => void, kept: number = KEPT_BY.MEMORY): void {
    const batch = this.#collect(work);
    if (!batch || batch.size === 0) return;
    const { folder, reserve } = this.#target;
    try {
      if (kept === KEPT_BY.MEMORY) {
        reserve.fill();
        reserve.probe(BYTES_OF_RECORD);
      }
      this.#commit(
        [...this.#pending, ...batch].map(([, write]) => write),
        kept,
      );
    } catch (cause) {
      this.#needed = roomFor(batch.size);
      const failure = ledgerFull(folder, reserve.missing + this.#needed, cause);
      this.#failed(failure, cause);
      throw failure;
    }
    this.#pending.clear();
    // That an end or a grant was written does not tell that there is room for new memory.
    if (kept === KEPT_BY.MEMORY && reserve.missing === 0) this.#succeeded();
    else if (reserve.missing > 0 || this.#failure) this.#flush();
  }

  /** Performs the writes of `work` in one transaction: now, or as soon as the file system permits. */
  eventually(work: () => void): void {
    const batch = this.#collect(work);
    if (!batch) return;
    for (const [key, write] of batch) this.#pending.set(key, write);
    // While writes fail, the timer retries them.
    if (!this.#failure) this.#flush();
  }

  /** Retries what is pending. Never rejects. */
  async retry(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      if (this.#broken) await this.#target.reopen();
      this.#broken = false;
    } catch (cause) {
      this.#failed(ledgerFull(this.#target.folder, roomFor(this.#pending.size), cause), cause);
    }
    if (!this.#closed && !this.#broken) this.#flush();
  }

  /** Writes what is pending, if that is possible. */
  close(): void {
    if (this.#pending.size > 0) this.#flush();
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** @returns the writes of `work`; undefined if it is a part of another transaction. */
  #collect(work: () => void): Batch | undefined {
    if (this.#batch) {
      work();
      return undefined;
    }
    const batch: Batch = new Map();
    this.#batch = batch;
    try {
      work();
    } finally {
      this.#batch = undefined;
    }
    return batch;
  }

  /**
   * Writes what is pending, from the reserve if there is no other room. Then fills the reserve again, and
   * verifies that there is room for what was refused.
   */
  #flush(): void {
    const { folder, reserve } = this.#target;
    try {
      this.#commitPending();
      reserve.fill();
      if (this.#needed > 0) reserve.probe(this.#needed);
    } catch (cause) {
      const more = this.#pending.size > 0 ? roomFor(this.#pending.size) : 0;
      const bytes = reserve.missing + Math.max(this.#needed, more);
      this.#failed(ledgerFull(folder, bytes, cause), cause);
      return;
    }
    this.#succeeded();
  }

  #commitPending(): void {
    while (this.#pending.size > 0) {
      const all = [...this.#pending];
      try {
        this.#commitSome(all);
      } catch (cause) {
        if (!isLackOfRoom(cause) || all.length <= SLICE) throw cause;
        // A part of it needs less room.
        this.#commitSome(all.slice(0, SLICE));
      }
    }
  }

  #commitSome(writes: readonly (readonly [string, Write])[]): void {
    this.#commit(
      writes.map(([, write]) => write),
      KEPT_BY.ENDS,
    );
    for (const [key] of writes) this.#pending.delete(key);
  }

  /** LMDB reports a write that had room for a part as EIO. */
  #causeOf(failure: unknown): unknown {
    if (nameOfFault(failure) !== 'EIO') return failure;
    try {
      this.#target.reserve.probe(PROBED_BYTES);
      return failure;
    } catch (cause) {
      return cause;
    }
  }

  /** Commits, with room from the reserve if there is no other. */
  #commit(writes: readonly Write[], kept: number): void {
    const { reserve } = this.#target;
    for (;;) {
      try {
        this.#target.commit(writes);
        return;
      } catch (failure) {
        const cause = this.#causeOf(failure);
        if (!isLackOfRoom(cause) || !reserve.shrink(kept * reserve.bytes)) throw cause;
      }
    }
  }

  #failed(error: VkmemError, cause: unknown): void {
    this.#failures += 1;
    this.#broken ||= needsReopening(cause);
    const first = this.#failure === undefined;
    const at = this.#failure?.at ?? Date.now();
    this.#failure = { error, at };
    if (first) this.#notify();
    if (this.#timer || this.#closed) return;
    this.#timer = setTimeout(() => void this.retry(), this.#waitMs);
    this.#timer.unref();
    this.#waitMs = Math.min(RETRY.maxMs, this.#waitMs * 2);
  }

  #succeeded(): void {
    this.#needed = 0;
    this.#waitMs = RETRY.firstMs;
    if (!this.#failure) return;
    this.#failure = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#notify();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}
