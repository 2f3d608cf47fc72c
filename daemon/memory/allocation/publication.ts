/**
 * Publication: whether one allocation is immutable for all later grants, and how the daemon enforces that.
 *
 * Only memory that was allocated as publishable can be published. Of memory over a memfd the seal
 * F_SEAL_FUTURE_WRITE makes the kernel refuse to every process, root included, to write to the memfd, map it for
 * writing or punch holes into it, through any fd. Existing writable mappings and other handles that were granted
 * before stay as they are. The daemon itself makes no grant for writing any more, and no transfer into the memory.
 * It refuses to publish while a process that was granted write access has pinned pages (writers.ts), because a
 * device may write through these.
 *
 * Memory of OPAQUE_FD alone has no seals: there the ledger records that it is published. No kernel and no driver
 * tells which processes import an OPAQUE_FD, and whether they can write. So the daemon can neither prove that earlier
 * importers are gone nor enforce that later ones only read: a read-only OPAQUE_FD is ADVISORY.
 *
 * Before it is published, a holder of a writable grant can set seals too. So the seals are read each time
 * they matter: once the kernel refuses writers, the allocation counts as published, whichever process set the
 * seals.
 */
import {
  type AccessName,
  type KindName,
  type OwnedFd,
  readSeals,
  SEALS,
  type SharingName,
  sealMemfd,
  VkmemError,
} from '@vkmemd/proto';
import { Writers } from './writers.js';

const NO_WRITERS = SEALS.FUTURE_WRITE | SEALS.WRITE;

/** The part of an allocation that publication uses. */
export interface Publishable {
  readonly id: string;
  /** The memfd, borrowed; undefined if there is none, or if it is closed. */
  readonly memory: { readonly sealable: OwnedFd | undefined };
  readonly lock: { readonly mode: SharingName; refuseWriters(fault: VkmemError): void };
  /** @throws VkmemError NOT_FOUND once it is freed. */
  requireLive(): void;
}

export class Publication {
  /** Whom Grants granted write access. */
  readonly writers = new Writers();
  readonly #allocation: Publishable;
  readonly #onPublished: () => void;
  /** Whether it has no memfd, and so no seals. */
  readonly #recorded: boolean;
  #published: boolean;
  #sealing = 0;
  #writes = 0;
  #quiet: (() => void)[] = [];

  /**
   * @param onPublished called once, when it is published or is first found to be.
   * @param recorded For memory without a memfd: whether the ledger says that it is published.
   */
  constructor(allocation: Publishable, onPublished: () => void, recorded?: boolean) {
    this.#allocation = allocation;
    this.#onPublished = onPublished;
    this.#recorded = recorded !== undefined;
    this.#published = recorded === true;
  }

  /** Whether it is published without seals: only the ledger has that. */
  get recorded(): boolean {
    return this.#recorded && this.#published;
  }

  /** Whether the kernel refuses writers. Reads the seals with a system call until they are set. */
  get published(): boolean {
    if (!this.#published && (this.#seals() & NO_WRITERS) !== 0) this.#refuseWriters();
    return this.#published;
  }

  #refuseWriters(): void {
    this.#published = true;
    this.#allocation.lock.refuseWriters(this.#refusal());
    this.#onPublished();
  }

  /** Whether a worker thread that sets seals is using the memfd. */
  get sealing(): boolean {
    return this.#sealing > 0;
  }

  #seals(): number {
    const memfd = this.#allocation.memory.sealable;
    return memfd ? readSeals(memfd) : 0;
  }

  /**
   * @throws VkmemError PUBLISHED for a grant that could write to published memory; BUSY for a writable grant
   *   of memory with a lock while it is being sealed, because the publisher was assured that there is no
   *   other writer.
   */
  requireGrantable(kind: KindName, access: AccessName): void {
    if (access === 'ro' && (kind === 'MAPPABLE' || kind === 'OPAQUE_FD')) return;
    if (this.published) throw this.#refusal();
    if (access === 'ro' || !this.sealing || this.#allocation.lock.mode === 'SHARED') return;
    throw new VkmemError('BUSY', `Allocation ${this.#allocation.id} is being published.`);
  }

  /** Runs a write by the device; publishing waits for it. @throws VkmemError PUBLISHED. */
  async write<T>(work: () => Promise<T>): Promise<T> {
    if (this.published) throw this.#refusal();
    this.#writes += 1;
    try {
      return await work();
    } finally {
      this.#writes -= 1;
      if (this.#writes === 0) for (const resolve of this.#quiet.splice(0)) resolve();
    }
  }

  /**
   * Sets the seals, or records it, and waits for the device's writes that began before.
   * @param record Called for memory without seals, before the change in memory. If it throws, nothing changes.
   * @throws VkmemError PAGES_PINNED; NOT_PUBLISHABLE if the memfd was sealed against further seals; NOT_FOUND
   *   if the allocation was freed meanwhile; what `record` throws.
   */
  async publish(record: () => void): Promise<void> {
    if (!this.#recorded) await this.#seal();
    else if (!this.#published) {
      this.#allocation.requireLive();
      record();
      this.#refuseWriters();
    }
    if (this.#writes > 0) await new Promise<void>((resolve) => this.#quiet.push(resolve));
  }

  async #seal(): Promise<void> {
    if (!this.published && this.#allocation.memory.sealable) {
      this.#sealing += 1;
      try {
        await this.#requireUnpinned();
        const memfd = this.#allocation.memory.sealable;
        if (memfd) await sealMemfd(memfd, SEALS.FUTURE_WRITE | SEALS.SEAL);
      } catch (failure) {
        // A writer may have sealed it first.
        if (!this.published) throw isRefused(failure) ? sealedBefore(failure) : failure;
      } finally {
        this.#sealing -= 1;
      }
    }
    if (!this.published)
      throw new VkmemError('NOT_FOUND', 'The allocation was freed while it was being published.');
  }

  async #requireUnpinned(): Promise<void> {
    const pinning = await this.writers.pinning();
    if (!pinning) return;
    const { pid, bytes } = pinning;
    const pins = bytes === undefined ? 'too many descendants to look at' : `pinned ${bytes} bytes (VmPin)`;
    const reason = `Process ${pid}, which may have write access, has ${pins}.`;
    const pinned = bytes === undefined ? {} : { pinned_bytes: String(bytes) };
    throw new VkmemError('PAGES_PINNED', reason, { pid: String(pid), ...pinned });
  }

  #refusal(): VkmemError {
    const kinds = this.#recorded ? 'OPAQUE_FD' : 'MAPPABLE or OPAQUE_FD';
    const reason = `Allocation ${this.#allocation.id} can only be granted read-only, as ${kinds}.`;
    return new VkmemError('PUBLISHED', reason);
  }
}

const isRefused = (failure: unknown): boolean =>
  failure instanceof VkmemError && failure.code === 'NOT_PERMITTED';

const sealedBefore = (cause: unknown): VkmemError =>
  new VkmemError('NOT_PUBLISHABLE', 'A process with write access has sealed it with F_SEAL_SEAL.', {}, cause);
