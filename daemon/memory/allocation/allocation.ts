/**
 * One allocation: one VkDeviceMemory that the daemon owns, from its creation until its bytes are free.
 *
 * It is LIVE until it is freed, and DRAINING from then on. Its device memory is freed as soon as no transfer
 * or export uses it. Its bytes are free once no process holds them any more. Work on the memory runs inside
 * use(), which keeps the device memory alive until the work is done.
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
import { describeHints, describePages, describeRequirements, describeResource } from './description.js';
import { Publication } from './publication.js';

/** The properties that are fixed when an allocation is made. */
export interface AllocationTerms {
  readonly name: string;
  readonly lifetime: LifetimeName;
  readonly kinds: readonly KindName[];
  readonly tenant: Tenant;
  readonly sharing: SharingName;
  readonly publishable: boolean;
  /** The session that owns it and that it ends with; undefined for NAMED. */
  readonly owner: Session | undefined;
  /**
   * The session whose request made it, if the request had an id. The session may repeat that request under
   * the same id. `requestId` is '' if there was none.
   */
  readonly maker: Session | undefined;
  readonly requestId: string;
}

/** The identity of an allocation that survived a restart of the daemon. */
export interface Origin {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Present if it was published without seals. */
  readonly published?: true;
}

/** The number of allocations that this process has made or restored. */
let made = 0;

export class Allocation {
  readonly id: string;
  readonly createdAt: number;
  /** Its place among the allocations of one millisecond, in this process. */
  readonly serial: number;
  readonly terms: AllocationTerms;
  readonly memory: DeviceMemory;
  readonly charge: Charge;
  readonly lock: AccessLock;
  /** Undefined if it was not allocated as publishable. */
  readonly publication: Publication | undefined;
  /** Whether it is on huge pages, which a process that can write to the memfd can remove (punch holes). */
  readonly onHugePages: boolean;
  /** How many grants of it exist; counted by Grants only. */
  grants = 0;
  /** Whether it survives a restart of the daemon. */
  persisted = false;
  /** Whether the fd store has its fds, or they are on the way there. */
  stored = false;
  /** Set once only the daemon and the fd store hold it; resolves when both have closed its fds: its bytes are free. */
  leaving: Promise<void> | undefined;
  readonly #fixed: ReturnType<typeof fixedPart>;
  #uses = 0;
  #idle: (() => void) | undefined;
  #state: 'LIVE' | 'DRAINING' = 'LIVE';
  #retired = false;
  #retirement: Promise<void> | undefined;

  /** @param published called once, when it is published or is first found to be. */
  constructor(
    terms: AllocationTerms,
    memory: DeviceMemory,
    charge: Charge,
    published: (allocation: Allocation) => void,
    origin: Origin = { id: randomUUID(), createdAt: Date.now() },
  ) {
    this.id = origin.id;
    this.createdAt = origin.createdAt;
    made += 1;
    this.serial = made;
    this.terms = terms;
    this.memory = memory;
    this.charge = charge;
    this.lock = new AccessLock(terms.sharing);
    const recorded = memory.plan.memfd ? undefined : origin.published === true;
    this.publication = terms.publishable ? new Publication(this, () => published(this), recorded) : undefined;
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

  /** @throws VkmemError NOT_FOUND if it is draining. */
  requireLive(): void {
    if (this.#state !== 'LIVE') throw new VkmemError('NOT_FOUND', `Allocation ${this.id} was freed.`);
  }

  /** @throws VkmemError KIND_NOT_REQUESTED for a kind that it was not allocated for. */
  requireMadeFor(kinds: readonly KindName[]): void {
    const missing = kinds.find((kind) => !this.terms.kinds.includes(kind));
    if (!missing) return;
    const reason = `It was allocated for ${this.terms.kinds.join(', ')}, not for ${missing}.`;
    throw new VkmemError('KIND_NOT_REQUESTED', reason, { kind: missing });
  }

  /**
   * Runs work that needs the device memory; freeing waits for the work.
   * @throws VkmemError NOT_FOUND if the allocation is draining.
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
   * Starts to free the allocation: no new use begins, and the device memory is freed when the last use ends.
   * A second call returns the same promise.
   * @param inTurn runs the driver call when the caller's turn has come.
   */
  retire(inTurn: (work: () => Promise<void>) => Promise<void>): Promise<void> {
    this.#retirement ??= this.#retire(inTurn);
    return this.#retirement;
  }

  async #retire(inTurn: (work: () => Promise<void>) => Promise<void>): Promise<void> {
    this.#state = 'DRAINING';
    this.lock.end(() => new VkmemError('NOT_FOUND', `Allocation ${this.id} was freed.`));
    this.charge.drain();
    if (this.#uses > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await inTurn(() => this.memory.freeDevice());
    this.#retired = true;
  }

  /** Whether the device memory has been freed: from then on only other holders keep the bytes. */
  get retired(): boolean {
    return this.#retired;
  }

  /**
   * Whether a session, another process (as far as the kernel can tell) or a thread of this process still
   * holds the memory. Imported memory belongs to the client that sent it: once the device has released it,
   * only grants count.
   */
  get held(): boolean {
    if (this.grants > 0 || this.publication?.sealing) return true;
    return !this.memory.imported && this.heldElsewhere() === true;
  }

  /**
   * Whether a process other than the daemon and the fd store has it open, mapped or imported by a memfd or a
   * dma-buf, as the kernel reports; undefined where the kernel does not.
   */
  heldElsewhere(): boolean | undefined {
    return this.memory.heldElsewhere(this.stored);
  }

  #stateName(): 'LIVE' | 'DRAINING' | 'FREED' | 'DEGRADED' | 'RESTORING' {
    if (this.charge.state === 'settled') return 'FREED';
    if (this.#state !== 'LIVE') return this.#state;
    if (this.memory.degraded) return 'DEGRADED';
    return this.memory.restoring ? 'RESTORING' : 'LIVE';
  }

  /**
   * The allocation as the contract describes it. The object is built field by field, since a spread would
   * make a slower one for each claim.
   */
  describe(): Decoded<'Allocation'> {
    const { terms, memory } = this;
    const { plan } = memory;
    const { kinds, ownerUid, owner, source, requirements, resource, hints, pageSize, dedicatedBy } =
      this.#fixed;
    const described = {
      id: this.id,
      name: terms.name,
      sizeBytes: memory.size,
      kinds,
      lifetime: `LIFETIME_${terms.lifetime}` as const,
      state: `ALLOCATION_STATE_${this.#stateName()}` as const,
      ownerUid,
      owner,
      ownerSessionId: terms.owner?.id ?? 0n,
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
      pageSize,
      dedicatedBy,
      source,
    };
    return resource ? { ...described, ...resource } : described;
  }
}

/** The part of the description that never changes and costs more than a field access. */
function fixedPart({ kinds, tenant }: AllocationTerms, { plan, source }: DeviceMemory) {
  return {
    source: `ALLOCATION_SOURCE_${source}` as const,
    kinds: kinds.map((kind) => KINDS_ON_WIRE[kind]),
    ownerUid: shownUid(tenant),
    owner: describeTenant(tenant),
    requirements: describeRequirements(plan),
    resource: plan.resource && describeResource(plan.resource),
    hints: describeHints(plan.hints),
    ...describePages(plan),
  };
}
