/**
 * Creation: makes an allocation and its first grants for a request. The policy is checked first. Then, in one
 * turn: name, request id, fds, plan, quota and budget, the device's limit on allocations, the memory, the
 * ledger, the persistent record, the grants. If a step fails, all earlier steps are undone.
 */
import {
  type AccessName,
  DisposableStack,
  type KindName,
  type LifetimeName,
  type SharingName,
  VkmemError,
} from '@vkmemd/proto';
import type { FairScheduler } from '../../limits/fair-scheduler.js';
import type { FdBudget } from '../../limits/fd-budget.js';
import type { MappingBudget } from '../../limits/mapping-budget.js';
import { nameKeyOf } from '../../policy/tenant.js';
import type { Device, DeviceMemory, MemoryPlan } from '../../vulkan/device.js';
import type { Budget } from '../accounting/budget.js';
import type { Quotas } from '../accounting/quotas.js';
import type { Authority } from '../authority.js';
import type { Grants, Issued } from '../grant/grants.js';
import type { Persistence } from '../persistence.js';
import { type Caller, partyOf, requirePresent } from '../session/caller.js';
import type { Session } from '../session/session.js';
import { Allocation, type AllocationTerms } from './allocation.js';
import type { Draining } from './draining.js';
import { type AllocationEvents, publishEvent } from './events.js';
import { requireImportedOnce } from './imported-once.js';
import type { MadeOnce } from './made-once.js';
import type { Registry } from './registry.js';

/** The properties that a request asks for, however the memory is made. */
export interface WantedTerms {
  readonly kinds: readonly KindName[];
  readonly grantKinds: readonly KindName[];
  readonly lifetime: LifetimeName;
  readonly name: string;
  readonly access: AccessName;
  readonly sharing: SharingName;
  readonly publishable: boolean;
  /** '' for none. */
  readonly requestId: string;
}

/** A plan, and the call that makes the memory of it. */
export interface Source {
  readonly plan: MemoryPlan;
  /** Whether its pages exist already: an import. */
  readonly exists?: boolean;
  make(): Promise<DeviceMemory>;
}

interface Collaborators {
  readonly device: Device;
  readonly authority: Authority;
  readonly fds: FdBudget;
  readonly mappings: MappingBudget;
  readonly budget: Budget;
  readonly quotas: Quotas;
  readonly registry: Registry;
  readonly madeOnce: MadeOnce;
  readonly grants: Grants;
  readonly draining: Draining;
  readonly persistence: Persistence;
  readonly allocationEvents: AllocationEvents;
  readonly allocations: FairScheduler;
}

export class Creation {
  readonly #with: Collaborators;
  /** Memories that are being made; they already count against the device's limit. */
  #pending = 0;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /**
   * Makes an allocation and, if the plane carries fds, grants the wanted kinds at once. A repeated request of
   * the same session gets the allocation that the first one made.
   * @param sourceOf called with whether fds of the memory will be persisted, besides those of grants.
   * @returns the grants, and their fds, which the caller owns; and whether this call made the allocation.
   * @throws VkmemError NOT_PERMITTED, SESSION_REQUIRED, BUSY, NAME_TAKEN, QUOTA_EXCEEDED, BUDGET_EXCEEDED,
   *   TOO_MANY_ALLOCATIONS, TOO_MANY_FILES, UNAVAILABLE, what `sourceOf` throws, and the driver's errors.
   */
  async create(
    caller: Caller,
    wanted: WantedTerms,
    sourceOf: (persists: boolean) => Promise<Source>,
  ): Promise<Issued & { readonly allocation: Allocation; readonly isNew: boolean }> {
    const { authority, allocations, madeOnce, persistence, grants, draining } = this.#with;
    authority.requireKinds(caller.identity, wanted.kinds);
    authority.requireLifetime(caller.identity, wanted.lifetime);
    const terms = termsFor(caller, wanted);
    // The grants are made in the same turn, because an export may take long too.
    return allocations.run(partyOf(caller), async () => {
      const before = madeOnce.find(terms.maker, terms.requestId);
      const allocation = before ?? (await this.#make(caller, terms, sourceOf));
      try {
        if (!before) await persistence.made(allocation);
        requirePresent(caller);
        const issued = await grants.issue(caller, allocation, wanted.grantKinds, wanted.access);
        return { allocation, isNew: !before, ...issued };
      } catch (failure) {
        if (!before) await draining.free(allocation);
        throw failure;
      }
    });
  }

  /** The allocation that a request of the session with this id made; undefined without one. */
  madeBefore(session: Session | undefined, requestId: string): Allocation | undefined {
    return requestId === '' ? undefined : this.#with.madeOnce.made(session, requestId);
  }

  async #make(
    caller: Caller,
    terms: AllocationTerms,
    sourceOf: (persists: boolean) => Promise<Source>,
  ): Promise<Allocation> {
    const { registry, madeOnce, fds, mappings, budget, quotas, persistence, allocationEvents } = this.#with;
    requirePresent(caller);
    using undo = new DisposableStack();
    const nameKey = terms.lifetime === 'NAMED' ? nameKeyOf(terms.tenant, terms.name) : undefined;
    if (nameKey) {
      registry.reserveName(nameKey);
      undo.defer(() => registry.releaseName(nameKey));
    }
    madeOnce.begin(terms.maker, terms.requestId);
    undo.defer(() => madeOnce.abandon(terms.maker, terms.requestId));
    // The fd of its memfd, or of the driver's own handle, and its mapping.
    using leases = new DisposableStack();
    leases.use(fds.lease(terms.tenant, 1));
    leases.use(mappings.lease(terms.tenant));
    const source = await sourceOf(persistence.persists);
    const { size, heapIndex, hints } = source.plan;
    const foreign = source.plan.source === 'CUDA_VMM';
    // Huge pages are reserved in advance, outside of these limits.
    const makes = !source.exists && !hints?.hugePage;
    const charge = await budget.admit(size, heapIndex, quotas.payer(caller.identity), makes, foreign);
    undo.defer(() => charge.settle());
    charge.own(leases.move());
    const memory = await this.#counted(source);
    // Without a refusal this continues synchronously, so that of two concurrent imports of one file the
    // second is seen.
    const refused = persistence.persists ? requireImportedOnce(registry, memory) : undefined;
    if (refused) await refused;
    charge.commit();
    const allocation = new Allocation(terms, memory, charge, (published) =>
      publishEvent(allocationEvents, 'PUBLISHED', published),
    );
    registry.add(allocation);
    madeOnce.add(terms.maker, terms.requestId, allocation);
    undo.move();
    publishEvent(allocationEvents, 'CREATED', allocation);
    return allocation;
  }

  /**
   * Makes the memory within the device's limit maxMemoryAllocationCount, beyond which Vulkan's behaviour is
   * undefined.
   */
  async #counted({ make }: Source): Promise<DeviceMemory> {
    const { device } = this.#with;
    const limit = device.info.limits.maxMemoryAllocationCount;
    if (device.memories + this.#pending >= limit) {
      throw new VkmemError('TOO_MANY_ALLOCATIONS', `The device's limit is ${limit}.`, {
        limit: String(limit),
      });
    }
    this.#pending += 1;
    try {
      return await make();
    } finally {
      this.#pending -= 1;
    }
  }
}

function termsFor({ identity, session }: Caller, wanted: WantedTerms): AllocationTerms {
  if (wanted.lifetime === 'SESSION' && !session) {
    throw new VkmemError('SESSION_REQUIRED', 'The lifetime is SESSION, and the call names no session.');
  }
  return {
    name: wanted.name,
    lifetime: wanted.lifetime,
    kinds: wanted.kinds,
    tenant: identity.tenant,
    owner: wanted.lifetime === 'SESSION' ? session : undefined,
    maker: wanted.requestId === '' ? undefined : session,
    requestId: wanted.requestId,
    sharing: wanted.sharing,
    publishable: wanted.publishable,
  };
}
