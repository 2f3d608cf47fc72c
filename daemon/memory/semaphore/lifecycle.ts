/**
 * The lifecycle of semaphores: how one is created for a request, what ends it, and what a restart of the daemon
 * keeps.
 *
 * Kept is what has an OPAQUE_FD that the driver imports again, as long as its owner: the fd store has its handle,
 * the ledger a record. A SYNC_FD is never kept, since it is of one signal.
 */
import { DisposableStack, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { FairScheduler } from '../../limits/fair-scheduler.js';
import { nameKeyOf, type Tenant } from '../../policy/tenant.js';
import type { Device, DeviceSemaphore, SemaphoreKind, SemaphoreType } from '../../vulkan/device.js';
import { MadeOnce } from '../allocation/made-once.js';
import type { Authority } from '../authority.js';
import type { Reporter } from '../reporter.js';
import { type Caller, partyOf, requirePresent } from '../session/caller.js';
import type { Session } from '../session/session.js';
import type { Tickets } from '../ticket/tickets.js';
import { Semaphore, type SemaphoreOrigin, type SemaphoreTerms } from './semaphore.js';
import type { Semaphores } from './semaphores.js';
import type { SemaphoreWaits } from './waits.js';

/** Records semaphores (persistence.ts). */
export interface SemaphoreJournal {
  /**
   * The semaphore exists. It outlives this process, if its owner does, once the promise resolves.
   * @param fd Its OPAQUE_FD; borrowed until the promise resolves.
   * @returns whether its owner, if it has one, outlives this process.
   * @throws VkmemError TOO_MANY_FILES, UNAVAILABLE, LEDGER_FULL; nothing is persisted then.
   */
  semaphoreCreated(semaphore: Semaphore, fd: OwnedFd): Promise<boolean>;
  /** A client frees the semaphore. Called before anything changes. @throws VkmemError LEDGER_FULL. */
  semaphoreEnding(id: string): void;
  /** It was freed, or lost. */
  semaphoreEnded(id: string): void;
}

/** What a request asks for. */
export interface WantedSemaphore {
  readonly type: SemaphoreType;
  readonly kind: SemaphoreKind | undefined;
  readonly initial: bigint;
  readonly lifetime: SemaphoreTerms['lifetime'];
  readonly name: string;
  readonly requestId: string;
}

interface Collaborators {
  readonly device: Device;
  readonly authority: Authority;
  readonly semaphores: Semaphores;
  readonly semaphoreWaits: SemaphoreWaits;
  readonly tickets: Pick<Tickets, 'endOf'>;
  readonly allocations: FairScheduler;
  readonly persistence: { readonly persists: boolean; readonly semaphores: SemaphoreJournal };
  readonly reporter: Reporter;
}

export class SemaphoreLifecycle {
  readonly #with: Collaborators;
  readonly #madeOnce = new MadeOnce<Semaphore>();

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /** How much of the session makes it worth resuming: what it owns, and what it may ask for again. */
  sizeOf(session: Session): number {
    return this.#with.semaphores.ownedBy(session).size + this.#madeOnce.sizeOf(session);
  }

  /**
   * Creates a semaphore. A repeated request of the same session gets the one that the first made.
   * @param grants whether an OPAQUE_FD is granted too.
   * @returns the semaphore, and the fd of the grant, which the caller owns.
   * @throws VkmemError NOT_PERMITTED, KIND_UNSUPPORTED, SESSION_REQUIRED, NAME_TAKEN, BUSY, QUOTA_EXCEEDED,
   *   TOO_MANY_FILES, LEDGER_FULL, UNAVAILABLE, DEVICE_LOST, or as the driver fails. There is no semaphore then.
   */
  async create(
    caller: Caller,
    wanted: WantedSemaphore,
    grants: boolean,
  ): Promise<{ readonly semaphore: Semaphore; readonly fd: OwnedFd | undefined }> {
    const { authority, device, allocations } = this.#with;
    authority.requireLifetime(caller.identity, wanted.lifetime);
    requireHandle(this.#with, caller, wanted.kind);
    const report = device.requireSemaphore(wanted.type, wanted.kind);
    const terms = termsFor(caller, wanted);
    const keeps =
      this.#with.persistence.persists && wanted.kind === 'OPAQUE_FD' && report?.importable === true;
    return allocations.run(partyOf(caller), async () => {
      const before = this.#madeOnce.find(terms.maker, terms.requestId);
      const semaphore = before ?? (await this.#make(caller, terms, wanted.initial));
      try {
        if (!before && keeps) await this.#keep(semaphore);
        requirePresent(caller);
        if (semaphore.state !== 'LIVE') throw semaphore.ended();
        return { semaphore, fd: grants ? await semaphore.export() : undefined };
      } catch (failure) {
        if (!before) await this.end(semaphore);
        throw failure;
      }
    });
  }

  async #make(caller: Caller, terms: SemaphoreTerms, initial: bigint): Promise<Semaphore> {
    const { device, semaphores } = this.#with;
    requirePresent(caller);
    using undo = new DisposableStack();
    const nameKey = terms.lifetime === 'NAMED' ? nameKeyOf(terms.tenant, terms.name) : undefined;
    if (nameKey) {
      semaphores.reserveName(nameKey);
      undo.defer(() => semaphores.releaseName(nameKey));
    }
    this.#madeOnce.begin(terms.maker, terms.requestId);
    undo.defer(() => this.#madeOnce.abandon(terms.maker, terms.requestId));
    const counted = undo.use(semaphores.take(terms.tenant, caller.session, terms.kind !== undefined));
    const made = await device.createSemaphore(terms.type, initial, terms.kind);
    const semaphore = new Semaphore(terms, made, counted);
    semaphores.add(semaphore);
    this.#madeOnce.add(terms.maker, terms.requestId, semaphore);
    undo.move();
    return semaphore;
  }

  async #keep(semaphore: Semaphore): Promise<void> {
    const fd = await semaphore.export();
    if (!fd) return;
    try {
      const outlives = await this.#with.persistence.semaphores.semaphoreCreated(semaphore, fd);
      semaphore.persisted = outlives && semaphore.state === 'LIVE';
    } finally {
      fd.close();
    }
  }

  /** @throws VkmemError NAME_TAKEN if a semaphore of the tenant has the name. */
  requireFreeName({ name, lifetime }: Pick<SemaphoreTerms, 'name' | 'lifetime'>, tenant: Tenant): void {
    if (lifetime !== 'NAMED') return;
    const { semaphores } = this.#with;
    const key = nameKeyOf(tenant, name);
    semaphores.reserveName(key);
    semaphores.releaseName(key);
  }

  /** Restores a semaphore of an earlier daemon. It counts, even above every limit. */
  restore(terms: SemaphoreTerms, device: DeviceSemaphore, origin: SemaphoreOrigin): void {
    const { semaphores } = this.#with;
    const counted = semaphores.count(terms.tenant, terms.owner ?? terms.maker);
    const semaphore = new Semaphore(terms, device, counted, origin);
    semaphore.persisted = true;
    semaphores.add(semaphore);
    this.#madeOnce.add(terms.maker, terms.requestId, semaphore);
  }

  /** A client frees the semaphore. @throws VkmemError LEDGER_FULL; it exists then. */
  async free(semaphore: Semaphore): Promise<void> {
    this.#with.persistence.semaphores.semaphoreEnding(semaphore.id);
    await this.end(semaphore);
  }

  /** Ends a semaphore for all. Resolves when it is destroyed. Never rejects. Does nothing the second time. */
  async end(semaphore: Semaphore): Promise<void> {
    const { semaphores, semaphoreWaits, tickets, persistence, reporter } = this.#with;
    if (!semaphores.remove(semaphore)) return;
    this.#madeOnce.remove(semaphore);
    const freed = semaphore.free();
    semaphoreWaits.endOf(semaphore);
    tickets.endOf(semaphore);
    persistence.semaphores.semaphoreEnded(semaphore.id);
    await freed.catch((failure) => reporter.fault(`semaphore ${semaphore.id} could not be freed`, failure));
  }

  /** The session has ended. Resolves when what it owned is destroyed. */
  async endOf(session: Session): Promise<void> {
    this.#madeOnce.removeSession(session);
    await Promise.all([...this.#with.semaphores.ownedBy(session)].map((semaphore) => this.end(semaphore)));
  }

  /**
   * The device was lost, and all semaphores with it. They stay listed until their owners free them. Resolves when
   * they are destroyed.
   */
  async loseAll(): Promise<void> {
    const { semaphores, semaphoreWaits, persistence, reporter } = this.#with;
    const lost = semaphores.all.map(async (semaphore) => {
      const destroyed = semaphore.lose();
      semaphoreWaits.endOf(semaphore);
      semaphore.persisted = false;
      persistence.semaphores.semaphoreEnded(semaphore.id);
      await destroyed.catch((failure) =>
        reporter.fault(`semaphore ${semaphore.id} could not be destroyed`, failure),
      );
    });
    await Promise.all(lost);
  }

  /** The daemon stops: destroys all VkSemaphores. What is kept stays in the journal. */
  async leaveAll(): Promise<void> {
    const { semaphores, semaphoreWaits, reporter } = this.#with;
    semaphoreWaits.stop(new VkmemError('UNAVAILABLE', 'The daemon is stopping.'));
    const { all } = semaphores;
    for (const semaphore of all) semaphores.remove(semaphore);
    for (const end of await Promise.allSettled(all.map((semaphore) => semaphore.free()))) {
      if (end.status === 'rejected') reporter.fault('a semaphore could not be destroyed', end.reason);
    }
  }
}

/**
 * Whether the caller may have a handle of the kind. A software device trusts what a client writes to its
 * OPAQUE_FDs, as those of memory.
 * @throws VkmemError NOT_PERMITTED.
 */
export function requireHandle(
  { authority, device }: { readonly authority: Authority; readonly device: Pick<Device, 'info'> },
  { identity }: Caller,
  kind: SemaphoreKind | undefined,
): void {
  if (kind !== 'OPAQUE_FD') return;
  authority.requireKinds(identity, ['OPAQUE_FD']);
  authority.requireOperatorOnCpu(device.info.type, identity, 'OPAQUE_FD');
}

function termsFor({ identity, session }: Caller, wanted: WantedSemaphore): SemaphoreTerms {
  const { name, lifetime, type, kind, requestId } = wanted;
  if (lifetime === 'SESSION' && !session) {
    throw new VkmemError('SESSION_REQUIRED', 'The lifetime is SESSION, and the call names no session.');
  }
  const tenant: Tenant = identity.tenant;
  const owner = lifetime === 'SESSION' ? session : undefined;
  const maker = requestId === '' ? undefined : session;
  return { name, lifetime, type, kind, tenant, owner, maker, requestId };
}
