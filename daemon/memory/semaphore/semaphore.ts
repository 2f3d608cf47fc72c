/**
 * One semaphore: a VkSemaphore of the daemon's device, with its owner, its name and what it may be granted as.
 *
 * It is LIVE until it is freed, or LOST with the device. A handle that was granted is the client's: the daemon does
 * not know who has one, and a semaphore does not drain.
 */
import { randomUUID } from 'node:crypto';
import { type Decoded, type LifetimeName, timestamp, VkmemError } from '@vkmemd/proto';
import { describeTenant, nameKeyOf, shownUid, type Tenant } from '../../policy/tenant.js';
import type { DeviceSemaphore, SemaphoreKind, SemaphoreType } from '../../vulkan/device.js';
import type { Session } from '../session/session.js';

/** The properties that are fixed when a semaphore is created. */
export interface SemaphoreTerms {
  readonly name: string;
  readonly lifetime: LifetimeName;
  readonly type: SemaphoreType;
  /** Undefined where only requests to the daemon use it. */
  readonly kind: SemaphoreKind | undefined;
  readonly tenant: Tenant;
  /** The session that owns it and that it ends with; undefined for NAMED. */
  readonly owner: Session | undefined;
  /** The session whose request made it, if the request had an id; `requestId` is '' if there was none. */
  readonly maker: Session | undefined;
  readonly requestId: string;
}

/** The identity of a semaphore that outlived a restart of the daemon. */
export interface SemaphoreOrigin {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** The position of a semaphore in the list of all. */
export type SemaphorePosition = Pick<Semaphore, 'createdAt' | 'id'>;

/** Orders positions: the oldest first. */
export const bySemaphoreAge = (one: SemaphorePosition, other: SemaphorePosition): number =>
  one.createdAt - other.createdAt || (one.id < other.id ? -1 : Number(one.id > other.id));

export class Semaphore {
  readonly id: string;
  readonly createdAt: number;
  readonly terms: SemaphoreTerms;
  readonly #device: DeviceSemaphore;
  /** Its places among those of its session, of its tenant and of all, and its fd. */
  readonly #counted: Disposable;
  /** Whether it outlives a restart of the daemon. */
  persisted = false;
  /** A SYNC_FD: whether it is signalled, and no handle was made of that. */
  #signalled = false;
  #state: 'LIVE' | 'LOST' | 'FREED' = 'LIVE';

  /** @param counted Taken: disposed when it is freed. */
  constructor(
    terms: SemaphoreTerms,
    device: DeviceSemaphore,
    counted: Disposable,
    origin: SemaphoreOrigin = { id: randomUUID(), createdAt: Date.now() },
  ) {
    this.id = origin.id;
    this.createdAt = origin.createdAt;
    this.terms = terms;
    this.#device = device;
    this.#counted = counted;
  }

  get state(): 'LIVE' | 'LOST' | 'FREED' {
    return this.#state;
  }

  /** `KEY/NAME` of a NAMED semaphore; undefined for SESSION. */
  get nameKey(): string | undefined {
    return this.terms.lifetime === 'NAMED' ? nameKeyOf(this.terms.tenant, this.terms.name) : undefined;
  }

  /** Its VkSemaphore. @throws VkmemError DEVICE_LOST if it was lost; NOT_FOUND if it was freed meanwhile. */
  get device(): DeviceSemaphore {
    if (this.#state === 'LIVE') return this.#device;
    throw this.ended();
  }

  /** Why it cannot be used. */
  ended(): VkmemError {
    if (this.#state === 'LOST') {
      const next = 'Free it, and create another.';
      const reason = `Semaphore ${this.id} was lost with the device.`;
      return new VkmemError('DEVICE_LOST', reason, {}, undefined, next);
    }
    return new VkmemError('NOT_FOUND', `Semaphore ${this.id} was freed.`);
  }

  /** @throws VkmemError INVALID_ARGUMENT for a binary semaphore. @param field of the request. */
  requireTimeline(field: string): void {
    if (this.terms.type === 'TIMELINE') return;
    const reason = `Semaphore ${this.id} is binary: the host cannot wait for it, and the device's queue must not wait for a client.`;
    const next = 'Use a timeline; a process that imported the binary semaphore can wait for it.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field }, undefined, next);
  }

  /**
   * @param value The new counter of a timeline, at least 1; 0 for a binary semaphore.
   * @throws VkmemError INVALID_ARGUMENT.
   */
  requireValue(value: bigint, field: string): void {
    const binary = this.terms.type === 'BINARY';
    if (binary === (value === 0n)) return;
    const must = binary
      ? 'it is binary, so the value must be 0'
      : 'it is a timeline, which begins at 0 or above';
    const reason = `The value for semaphore ${this.id} is ${value}: ${must}.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field });
  }

  /**
   * @param value The new counter of a timeline.
   * @throws VkmemError INVALID_ARGUMENT if the counter is not below it, or the SYNC_FD is signalled already;
   *   DEVICE_LOST, NOT_FOUND.
   */
  async requireAhead(value: bigint): Promise<void> {
    this.#requireUnsignalled();
    if (this.terms.type === 'BINARY') return;
    const counter = await this.device.value();
    if (counter < value) return;
    const reason = `The counter of semaphore ${this.id} is ${counter}, not below ${value}.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'value' });
  }

  #requireUnsignalled(): void {
    if (!this.#signalled) return;
    const reason = `Semaphore ${this.id} is signalled, and no SYNC_FD was claimed of that yet.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'semaphore' });
  }

  /** Signals it by the daemon's device. @throws VkmemError as requireAhead(), or as the driver fails. */
  async signal(value: bigint): Promise<void> {
    const { device } = this;
    this.#requireUnsignalled();
    this.#signalled = this.terms.kind === 'SYNC_FD';
    try {
      await device.signal(value);
    } catch (failure) {
      this.#signalled = false;
      throw failure;
    }
  }

  /**
   * A handle of its kind, which the caller owns; undefined for a SYNC_FD that is no fd. One of a SYNC_FD takes the
   * signal with it.
   * @throws VkmemError INVALID_ARGUMENT for a SYNC_FD that was not signalled; DEVICE_LOST, NOT_FOUND.
   */
  async export() {
    const { device } = this;
    if (this.terms.kind !== 'SYNC_FD') return device.export();
    if (!this.#signalled) {
      const next = 'Signal it first: with Transfer or SignalSemaphore.';
      const reason = `Semaphore ${this.id} is not signalled: a SYNC_FD is a copy of one signal.`;
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'semaphore' }, undefined, next);
    }
    this.#signalled = false;
    try {
      return await device.export();
    } catch (failure) {
      this.#signalled = true;
      throw failure;
    }
  }

  /** The device was lost. Resolves when its VkSemaphore is destroyed. */
  async lose(): Promise<void> {
    if (this.#state !== 'LIVE') return;
    this.#state = 'LOST';
    await this.#device.free();
  }

  /** Ends it. Resolves when its VkSemaphore is destroyed; then it is no longer counted. */
  async free(): Promise<void> {
    const live = this.#state === 'LIVE';
    if (this.#state === 'FREED') return;
    this.#state = 'FREED';
    try {
      if (live) await this.#device.free();
    } finally {
      this.#counted[Symbol.dispose]();
    }
  }

  /** The semaphore as the contract describes it. */
  describe(): Decoded<'Semaphore'> {
    const { name, lifetime, type, kind, tenant, owner } = this.terms;
    return {
      id: this.id,
      type: `SEMAPHORE_TYPE_${type}`,
      kinds: kind === undefined ? [] : [`SEMAPHORE_KIND_${kind}`],
      state: `SEMAPHORE_STATE_${this.#state}`,
      lifetime: `LIFETIME_${lifetime}`,
      name,
      tenant: describeTenant(tenant),
      ownerUid: shownUid(tenant),
      ownerSessionId: owner?.id ?? 0n,
      createdAt: timestamp(this.createdAt),
      kept: this.persisted,
    };
  }
}
