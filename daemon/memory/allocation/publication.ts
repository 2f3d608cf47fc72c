/**
 * Publication: whether one allocation is immutable for all later grants, and what keeps it from being.
 *
 * Only memory over a memfd that was made for it can be published: the kernel then lets nobody write to the
 * memfd, map it for writing or punch holes into it any more (F_SEAL_FUTURE_WRITE), root included, by whatever
 * fd. Views that were mapped for writing before stay as they are, and so do other handles that were granted
 * before. The daemon keeps its part: no grant to write, of any kind that could, and no transfer into it.
 *
 * Until then a holder of a writable grant can set seals too. So the seals are read each time that it matters:
 * once the kernel refuses writers the allocation counts as published, no matter who set them.
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

const NO_WRITERS = SEALS.FUTURE_WRITE | SEALS.WRITE;

/** What is published. */
export interface Publishable {
  readonly id: string;
  /** The memfd, borrowed; undefined without one, or once it is closed. */
  readonly memory: { readonly sealable: OwnedFd | undefined };
  readonly lock: { readonly mode: SharingName; refuseWriters(fault: VkmemError): void };
}

export class Publication {
  readonly #allocation: Publishable;
  readonly #onPublished: () => void;
  #published = false;
  #sealing = 0;
  #writes = 0;
  #quiet: (() => void)[] = [];

  /** @param onPublished called once, when it is published or first seen to be. */
  constructor(allocation: Publishable, onPublished: () => void) {
    this.#allocation = allocation;
    this.#onPublished = onPublished;
  }

  /** Whether the kernel refuses writers. Asks the kernel. */
  get published(): boolean {
    if (!this.#published && (this.#seals() & NO_WRITERS) !== 0) {
      this.#published = true;
      this.#allocation.lock.refuseWriters(this.#refusal());
      this.#onPublished();
    }
    return this.#published;
  }

  /** Whether a thread that sets seals has the memfd. */
  get sealing(): boolean {
    return this.#sealing > 0;
  }

  #seals(): number {
    const memfd = this.#allocation.memory.sealable;
    return memfd ? readSeals(memfd) : 0;
  }

  /**
   * @throws VkmemError PUBLISHED for what would let its holder write to what is published; BUSY for a writer
   *   of memory with a lock while it is being sealed: the publisher was answered that nobody else writes.
   */
  requireGrantable(kind: KindName, access: AccessName): void {
    if (access === 'ro' && kind === 'MAPPABLE') return;
    if (this.published) throw this.#refusal();
    if (access === 'ro' || !this.sealing || this.#allocation.lock.mode === 'SHARED') return;
    throw new VkmemError('BUSY', `Allocation ${this.#allocation.id} is being published.`);
  }

  /** Runs a device's write; publishing waits for it. @throws VkmemError PUBLISHED. */
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
   * Sets the seals, and waits for writes of the device that began before.
   * @throws VkmemError NOT_PUBLISHABLE where somebody forbade further seals before.
   */
  async publish(): Promise<void> {
    const memfd = this.#allocation.memory.sealable;
    if (!this.published && memfd) {
      this.#sealing += 1;
      try {
        await sealMemfd(memfd, SEALS.FUTURE_WRITE | SEALS.SEAL);
      } catch (failure) {
        // A writer may have sealed it first.
        if (!this.published) throw isRefused(failure) ? sealedBefore(failure) : failure;
      } finally {
        this.#sealing -= 1;
      }
    }
    if (!this.published) throw new VkmemError('NOT_FOUND', 'The allocation was freed meanwhile.');
    if (this.#writes > 0) await new Promise<void>((resolve) => this.#quiet.push(resolve));
  }

  #refusal(): VkmemError {
    const reason = `Allocation ${this.#allocation.id} can be granted as MAPPABLE, to read, alone.`;
    return new VkmemError('PUBLISHED', reason);
  }
}

const isRefused = (failure: unknown): boolean =>
  failure instanceof VkmemError && failure.code === 'NOT_PERMITTED';

const sealedBefore = (cause: unknown): VkmemError =>
  new VkmemError('NOT_PUBLISHABLE', 'Somebody who may write to it has sealed it against seals.', {}, cause);
