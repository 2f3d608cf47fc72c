/**
 * One allocation: one VkDeviceMemory that the daemon owns, from the moment it exists until its bytes are
 * free.
 *
 * It is LIVE until freed and DRAINING from then on: its device memory goes at once (as soon as no transfer or
 * export uses it), its bytes when nobody holds it any more. Work on the memory runs inside use(), which keeps
 * the device memory alive until the work is done.
 */
import { randomUUID } from 'node:crypto';
import {
  type Decoded,
  KINDS_ON_WIRE,
  type KindName,
  type LifetimeName,
  type SharingName,
  timestamp,
  VkmemError,
} from '@vkmemd/proto';
import { describeTenant, nameKeyOf, shownUid, type Tenant } from '../../policy/tenant.js';
import type { DeviceMemory } from '../../vulkan/device.js';
import { onHugePages } from '../../vulkan/hints.js';
import type { Charge } from '../accounting/ledger.js';
import { AccessLock } from '../grant/access-lock.js';
import type { Session } from '../session/session.js';
import { describeHints, describeRequirements, describeResource } from './description.js';
import { Publication } from './publication.js';

/** What is fixed when an allocation is made. */
export interface AllocationTerms {
  readonly name: string;
  readonly lifetime: LifetimeName;
  readonly kinds: readonly KindName[];
  readonly tenant: Tenant;
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

export class Allocation {
  readonly id: string;
  readonly createdAt: number;
  readonly terms: AllocationTerms;
  readonly memory: DeviceMemory;
  readonly charge: Charge;
  readonly lock: AccessLock;
  /** Undefined for what was not allocated to be published. */
  readonly publication: Publication | undefined;
  /** Whether processes that can write to it can take pages out of it. */
  readonly onHugePages: boolean;
  /** How many grants of it there are; counted by Grants alone. */
  grants = 0;
  /** Whether it outlives the daemon's restart. */
  persisted = false;
  /** Once only the fd store holds it: resolves when that has released it, and its bytes are free. */
  leavingStore: Promise<void> | undefined;
  readonly #fixed: ReturnType<typeof fixedPart>;
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
    this.lock = new AccessLock(terms.sharing);
    this.publication = terms.publishable ? new Publication(this, () => published(this)) : undefined;
    this.onHugePages = onHugePages(memory.plan);
    this.#fixed = fixedPart(terms, memory);
  }

  get state(): 'LIVE' | 'DRAINING' {
    return this.#state;
  }

  /** `KEY/NAME` of a NAMED allocation; undefined for SESSION. */
  get nameKey(): string | undefined {
    return this.terms.lifetime === 'NAMED' ? nameKeyOf(this.terms.tenant, this.terms.name) : undefined;
  }

  /** @throws VkmemError NOT_FOUND once it is draining. */
  requireLive(): void {
    if (this.#state !== 'LIVE') throw new VkmemError('NOT_FOUND', `Allocation ${this.id} was freed.`);
  }

  /** @throws VkmemError KIND_NOT_REQUESTED where a kind is wanted that it was not allocated for. */
  requireMadeFor(kinds: readonly KindName[]): void {
    const missing = kinds.find((kind) => !this.terms.kinds.includes(kind));
    if (!missing) return;
    const reason = `It was allocated for ${this.terms.kinds.join(', ')}, not for ${missing}.`;
    throw new VkmemError('KIND_NOT_REQUESTED', reason, { kind: missing });
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
   * Gives the allocation up: no new use begins, the device memory is freed when the last one ends. Asked
   * again, it is the same end that is waited for.
   * @param inTurn runs the driver's part when its turn has come.
   */
  retire(inTurn: (work: () => Promise<void>) => Promise<void>): Promise<void> {
    this.#retirement ??= this.#retire(inTurn);
    return this.#retirement;
  }

  async #retire(inTurn: (work: () => Promise<void>) => Promise<void>): Promise<void> {
    this.#state = 'DRAINING';
    this.lock.end(new VkmemError('NOT_FOUND', `Allocation ${this.id} was freed.`));
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
   * Whether any session, or as far as the kernel can tell any process, or a thread of ours still holds the
   * memory. What a client imported is its own: once the device has released it, only grants are left to
   * account for.
   */
  get held(): boolean {
    if (this.grants > 0 || this.publication?.sealing) return true;
    return !this.memory.imported && this.memory.heldElsewhere() === true;
  }

  #stateName(): 'LIVE' | 'DRAINING' | 'FREED' | 'DEGRADED' {
    if (this.charge.state === 'settled') return 'FREED';
    return this.#state === 'LIVE' && this.memory.degraded ? 'DEGRADED' : this.#state;
  }

  /**
   * The allocation as the contract describes it. Field by field: a spread would make a slower object, once a
   * claim.
   */
  describe(): Decoded<'Allocation'> {
    const { terms, memory } = this;
    const { plan } = memory;
    const { kinds, ownerUid, owner, requirements, resource, hints } = this.#fixed;
    const described = {
      id: this.id,
      name: terms.name,
      sizeBytes: memory.size,
      kinds,
      lifetime: `LIFETIME_${terms.lifetime}` as const,
      state: `ALLOCATION_STATE_${this.#stateName()}` as const,
      ownerUid,
      owner,
      grants: this.grants,
      memoryTypeIndex: plan.memoryTypeIndex,
      memoryPropertyFlags: plan.propertyFlags,
      heapIndex: plan.heapIndex,
      dedicated: memory.dedicated,
      imported: memory.imported,
      createdAt: timestamp(this.createdAt),
      handleTypes: plan.handleTypes,
      requirements,
      sharing: `SHARING_${terms.sharing}` as const,
      publishable: terms.publishable,
      published: this.publication?.published ?? false,
      writerSessionId: terms.sharing === 'SHARED' ? 0n : (this.lock.writer?.id ?? 0n),
      hints,
      kept: this.persisted,
    };
    return resource ? { ...described, ...resource } : described;
  }
}

/** What of its description never changes, and costs more than reading a field. */
function fixedPart({ kinds, tenant }: AllocationTerms, { plan }: DeviceMemory) {
  return {
    kinds: kinds.map((kind) => KINDS_ON_WIRE[kind]),
    ownerUid: shownUid(tenant),
    owner: describeTenant(tenant),
    requirements: describeRequirements(plan),
    resource: plan.resource && describeResource(plan.resource),
    hints: describeHints(plan.hints),
  };
}
