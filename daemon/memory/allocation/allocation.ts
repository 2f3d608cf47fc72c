/**
 * One allocation: one VkDeviceMemory that the daemon owns, from the moment it exists until its bytes are free.
 *
 * It is LIVE until freed and DRAINING from then on: its device memory goes at once (as soon as no transfer or export
 * uses it), its bytes when nobody holds it any more. Work on the memory runs inside use(), which keeps the device
 * memory alive until the work is done.
 */
import { randomUUID } from 'node:crypto';
import {
  type AccessName,
  type Decoded,
  type KindName,
  kindToWire,
  type LifetimeName,
  type SharingName,
  timestamp,
  VkmemError,
} from '@vkmemd/proto';
import type { GiveBack } from '../../limits/shares.js';
import { describeHints } from '../../requests/parse-hints.js';
import { describeRequirements, describeResource } from '../../requests/parse-resource.js';
import type { DeviceMemory } from '../../vulkan/device.js';
import type { Charge } from '../accounting/ledger.js';
import { AccessLock, type LockRef } from '../grant/access-lock.js';
import type { Session } from '../session/session.js';
import { Publication } from './publication.js';

/** What is fixed when an allocation is made. */
export interface AllocationTerms {
  readonly name: string;
  readonly lifetime: LifetimeName;
  readonly kinds: readonly KindName[];
  readonly ownerUid: number;
  readonly sharing: SharingName;
  readonly publishable: boolean;
  /** The session that it ends with; undefined for NAMED. */
  readonly owner: Session | undefined;
  /** The session whose request made it, as far as that had an id, by which it may ask again; '' for none. */
  readonly maker: Session | undefined;
  readonly requestId: string;
}

/** Of one that outlived its daemon. */
export interface Origin {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** One handle of one kind that was given to one session. */
export interface GrantRecord {
  readonly id: bigint;
  readonly allocation: Allocation;
  readonly session: Session;
  readonly kind: KindName;
  readonly access: AccessName;
  /** The session's right to it. */
  readonly hold: LockRef;
  /** Takes it off its user's count. */
  readonly uncount: GiveBack;
  readonly fds: number;
}

export class Allocation {
  readonly id: string;
  readonly createdAt: number;
  readonly terms: AllocationTerms;
  readonly memory: DeviceMemory;
  readonly charge: Charge;
  readonly grants = new Set<GrantRecord>();
  readonly sharing: AccessLock;
  /** Whether it outlives the daemon's restart. */
  kept = false;
  /** Once nobody holds it but who keeps it: resolves when that has let go, and its bytes are free. */
  going: Promise<void> | undefined;
  readonly publication: Publication;
  #uses = 0;
  #idle: (() => void) | undefined;
  #state: 'LIVE' | 'DRAINING' = 'LIVE';
  #retired = false;
  #retirement: Promise<void> | undefined;

  /** @param published called once, when it is published or first seen to be. */
  constructor(
    terms: AllocationTerms,
    memory: DeviceMemory,
    charge: Charge,
    published: (allocation: Allocation) => void,
    origin: Origin = { id: randomUUID(), createdAt: Date.now() },
  ) {
    this.id = origin.id;
    this.createdAt = origin.createdAt;
    this.terms = terms;
    this.memory = memory;
    this.charge = charge;
    this.sharing = new AccessLock(terms.sharing);
    this.publication = new Publication(this, () => published(this));
  }

  get state(): 'LIVE' | 'DRAINING' {
    return this.#state;
  }

  /** `uid/name`, the key of a NAMED allocation; undefined for SESSION. */
  get nameKey(): string | undefined {
    return this.terms.lifetime === 'NAMED' ? `${this.terms.ownerUid}/${this.terms.name}` : undefined;
  }

  /** @throws VkmemError NOT_FOUND once it is draining. */
  requireLive(): void {
    if (this.#state !== 'LIVE') throw new VkmemError('NOT_FOUND', `Allocation ${this.id} was freed.`);
  }

  /**
   * Runs work that needs the device memory; freeing waits for it.
   * @throws VkmemError NOT_FOUND once the allocation is draining.
   */
  async use<T>(work: (memory: DeviceMemory) => Promise<T>): Promise<T> {
    this.requireLive();
    this.#uses += 1;
    try {
      return await work(this.memory);
    } finally {
      this.#uses -= 1;
      if (this.#uses === 0) this.#idle?.();
    }
  }

  /**
   * Gives the allocation up: no new use begins, the device memory is freed when the last one ends. Asked again, it
   * is the same end that is waited for.
   * @param inTurn runs the driver's part when its turn has come.
   */
  retire(inTurn: (work: () => Promise<void>) => Promise<void>): Promise<void> {
    this.#retirement ??= this.#retire(inTurn);
    return this.#retirement;
  }

  async #retire(inTurn: (work: () => Promise<void>) => Promise<void>): Promise<void> {
    this.#state = 'DRAINING';
    this.sharing.end(new VkmemError('NOT_FOUND', `Allocation ${this.id} was freed.`));
    this.charge.drain();
    if (this.#uses > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await inTurn(() => this.memory.freeDevice());
    this.#retired = true;
  }

  /** Whether the device memory is gone: from then on only other holders keep the bytes. */
  get retired(): boolean {
    return this.#retired;
  }

  /**
   * Whether any session, or as far as the kernel can tell any process, still holds the memory, or a thread of ours does. What a client imported
   * is its own: once the device has let go of it, nothing is left to account for but grants.
   */
  get held(): boolean {
    if (this.grants.size > 0 || this.publication.sealing) return true;
    return !this.memory.imported && this.memory.heldElsewhere() === true;
  }

  #stateName(): 'LIVE' | 'DRAINING' | 'FREED' | 'DEGRADED' {
    if (this.charge.state === 'settled') return 'FREED';
    return this.#state === 'LIVE' && this.memory.degraded ? 'DEGRADED' : this.#state;
  }

  /** The allocation as the contract describes it. */
  describe(): Decoded<'Allocation'> {
    const { plan, size, dedicated, imported } = this.memory;
    return {
      id: this.id,
      name: this.terms.name,
      sizeBytes: size,
      kinds: this.terms.kinds.map(kindToWire),
      lifetime: `LIFETIME_${this.terms.lifetime}`,
      state: `ALLOCATION_STATE_${this.#stateName()}`,
      ownerUid: this.terms.ownerUid,
      memoryTypeIndex: plan.memoryTypeIndex,
      memoryPropertyFlags: plan.propertyFlags,
      heapIndex: plan.heapIndex,
      dedicated,
      grants: this.grants.size,
      createdAt: timestamp(this.createdAt),
      imported,
      handleTypes: plan.handleTypes,
      requirements: describeRequirements(plan),
      ...describeResource(plan.resource),
      sharing: `SHARING_${this.terms.sharing}`,
      publishable: this.terms.publishable,
      published: this.publication.published,
      writerSessionId: this.sharing.writer?.id ?? 0n,
      kept: this.kept,
      hints: describeHints(plan.hints),
    };
  }
}
