/**
 * Publishing: making an allocation immutable for all later grants.
 *
 * Only memory over a memfd that was made for it can be published: the kernel then lets nobody write to the memfd, map
 * it for writing or punch holes into it any more (F_SEAL_FUTURE_WRITE), root included, by whatever fd. Views that were
 * mapped for writing before stay as they are, and so do other handles that were granted before. The daemon keeps its
 * part: no grant to write, of any kind that could, and no transfer into it.
 *
 * Until then whoever has a grant to write can set seals too. So the seals are read whenever it matters: once the kernel
 * refuses writers the allocation counts as published, whoever did it.
 */
import {
  type AccessName,
  type Decoded,
  type KindName,
  readSeals,
  SEALS,
  sealMemfd,
  VkmemError,
} from '@vkmemd/proto';
import type { Domain } from '../domain.js';
import { busy } from '../grant/claim-queue.js';
import { type Caller, partyOf } from '../session/caller.js';
import type { Allocation } from './allocation.js';

/** Of the thread that sets seals: the memfd, and both ends of what it tells. */
const FDS_OF_SEALING = 3;
const NO_WRITERS = SEALS.FUTURE_WRITE | SEALS.WRITE;

/** Whether one allocation is published, and what keeps it from being. */
export class Publication {
  readonly #allocation: Allocation;
  readonly #told: () => void;
  #published = false;
  #sealing = 0;
  #writes = 0;
  #quiet: (() => void)[] = [];

  /** @param told once, when it is published or first seen to be. */
  constructor(allocation: Allocation, told: () => void) {
    this.#allocation = allocation;
    this.#told = told;
  }

  /** Whether the kernel refuses writers. Asks it. */
  get published(): boolean {
    if (!this.#published && (this.#seals() & NO_WRITERS) !== 0) {
      this.#published = true;
      this.#allocation.sharing.refuseWriters(refusal(this.#allocation));
      this.#told();
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
   * @throws VkmemError PUBLISHED for what would let its holder write to what is published; BUSY for a writer of memory
   *   that has one at most, while it is being sealed: who publishes was told that nobody else writes.
   */
  requireGrantable(kind: KindName, access: AccessName): void {
    if (access === 'ro' && kind === 'MAPPABLE') return;
    if (this.published) throw refusal(this.#allocation);
    if (access === 'ro' || !this.sealing || this.#allocation.sharing.mode === 'SHARED') return;
    throw new VkmemError('BUSY', `Allocation ${this.#allocation.id} is being published.`);
  }

  /** Runs a device's write; publishing waits for it. @throws VkmemError PUBLISHED. */
  async write<T>(work: () => Promise<T>): Promise<T> {
    if (this.published) throw refusal(this.#allocation);
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
        // Who was faster may have published it.
        if (!this.published) throw isRefused(failure) ? sealedBefore(failure) : failure;
      } finally {
        this.#sealing -= 1;
      }
    }
    if (!this.published) throw new VkmemError('NOT_FOUND', 'The allocation was freed meanwhile.');
    if (this.#writes > 0) await new Promise<void>((resolve) => this.#quiet.push(resolve));
  }
}

const isRefused = (failure: unknown): boolean =>
  failure instanceof VkmemError && failure.code === 'NOT_PERMITTED';

const sealedBefore = (cause: unknown): VkmemError =>
  new VkmemError('NOT_PUBLISHABLE', 'Somebody who may write to it has sealed it against seals.', {}, cause);

function refusal({ id }: Allocation): VkmemError {
  return new VkmemError('PUBLISHED', `Allocation ${id} can be granted as MAPPABLE, to read, alone.`);
}

/**
 * Makes an allocation immutable for all later grants. Asked again, the answer is the same.
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, DEVICE_LOST, NOT_PUBLISHABLE; BUSY where another session has the right
 *   to write; UNAVAILABLE when the daemon stops, or too many wait; TOO_MANY_FILES.
 */
export async function publish(
  domain: Domain,
  caller: Caller,
  request: Decoded<'PublishRequest'>,
): Promise<Decoded<'PublishResponse'>> {
  const allocation = domain.registry.find(request.allocation, caller.identity, 'use');
  if (!allocation.terms.publishable) {
    throw new VkmemError('NOT_PUBLISHABLE', 'It was not allocated to be published.');
  }
  requireNoOtherWriter(allocation, caller);
  // A client that writes to the memfd can keep the seals waiting; a stopping daemon does not wait with them.
  const sealed = domain.seals.run(partyOf(caller), async () => {
    requireNoOtherWriter(allocation, caller);
    const giveBack = domain.fds.lease(caller.identity.uid, FDS_OF_SEALING);
    try {
      await allocation.publication.publish();
    } finally {
      giveBack();
    }
  });
  await domain.claimQueue.unlessStopped(sealed);
  return { allocation: allocation.describe() };
}

/** @throws VkmemError BUSY, unless it is published already. */
function requireNoOtherWriter(allocation: Allocation, { session }: Caller): void {
  const { writer } = allocation.sharing;
  if (writer && writer !== session && !allocation.publication.published) throw busy(allocation);
}
