/**
 * A semaphore of the device: a timeline or a binary one, and what it can be exported as.
 *
 * Timelines are read, signalled and waited for by the host, binary semaphores signalled by the queue. The
 * device's queue never waits for a semaphore (native/semaphore.h). A semaphore belongs to the VkDevice that it
 * was created on, and is lost with it.
 */
import { OwnedFd, VkmemError } from '@vkmemd/proto';
import { native } from './errors.js';
import { has } from './flags.js';
import type { Opened } from './live-device.js';
import type { DeviceInfo, NativeDevice, NativeSemaphore } from './native.js';

export type SemaphoreType = 'TIMELINE' | 'BINARY';
export type SemaphoreKind = 'OPAQUE_FD' | 'SYNC_FD';

/** VkExternalSemaphoreHandleTypeFlagBits. */
export const SEMAPHORE_HANDLE: Readonly<Record<SemaphoreKind, number>> = { OPAQUE_FD: 0x1, SYNC_FD: 0x10 };
/** VkExternalSemaphoreFeatureFlagBits. */
const Feature = { EXPORTABLE: 0x1, IMPORTABLE: 0x2 } as const;
const EXTENSION = 'VK_KHR_external_semaphore_fd';
const NO_TIMELINES = 'the device has no timeline semaphores (feature timelineSemaphore).';

/** What the driver reports about semaphores of a type and a kind. */
export interface SemaphoreReport {
  readonly type: SemaphoreType;
  readonly kind: SemaphoreKind;
  readonly exportable: boolean;
  readonly importable: boolean;
  /** What is missing; '' if nothing is. */
  readonly reason: string;
}

/** Runs work with the current device; LiveDevice.use(). */
type Use = <T>(work: (opened: Opened) => Promise<T>) => Promise<T>;

/** The reports on every combination that Vulkan permits. A sync file is always of a binary semaphore. */
export function semaphoreReports({ semaphores, extensions }: DeviceInfo): readonly SemaphoreReport[] {
  const { timelines, timelineOpaqueFd, binaryOpaqueFd, binarySyncFd } = semaphores;
  const listed = extensions.includes(EXTENSION);
  const report = (type: SemaphoreType, kind: SemaphoreKind, features: number): SemaphoreReport => {
    const exportable = has(features, Feature.EXPORTABLE);
    const importable = has(features, Feature.IMPORTABLE);
    const lacks = !listed
      ? `the driver does not list ${EXTENSION}.`
      : type === 'TIMELINE' && !timelines
        ? NO_TIMELINES
        : `the driver lists ${EXTENSION}, but not for it (external semaphore features ${features}).`;
    return { type, kind, exportable, importable, reason: exportable && importable ? '' : lacks };
  };
  return [
    report('TIMELINE', 'OPAQUE_FD', timelineOpaqueFd),
    report('BINARY', 'OPAQUE_FD', binaryOpaqueFd),
    report('BINARY', 'SYNC_FD', binarySyncFd),
  ];
}

/**
 * The report on a type and a kind.
 * @throws VkmemError KIND_UNSUPPORTED if the device has no such semaphores, or does not export them.
 */
export function requireExportable(
  info: DeviceInfo,
  type: SemaphoreType,
  kind: SemaphoreKind | undefined,
): SemaphoreReport | undefined {
  const metadata = { type, ...(kind && { kind }) };
  if (type === 'TIMELINE' && !info.semaphores.timelines) {
    const what = kind === undefined ? 'A TIMELINE semaphore' : `A TIMELINE semaphore as ${kind}`;
    throw new VkmemError('KIND_UNSUPPORTED', `${what}: ${NO_TIMELINES}`, { ...metadata, missing: 'feature' });
  }
  if (kind === undefined) return undefined;
  const report = semaphoreReports(info).find((each) => each.type === type && each.kind === kind);
  if (report?.exportable) return report;
  const why = report?.reason ?? 'a sync file is always of a binary semaphore.';
  const missing = info.extensions.includes(EXTENSION) ? 'export' : 'extension';
  throw new VkmemError('KIND_UNSUPPORTED', `A ${type} semaphore as ${kind}: ${why}`, {
    ...metadata,
    missing,
  });
}

export class DeviceSemaphore {
  readonly type: SemaphoreType;
  readonly kind: SemaphoreKind | undefined;
  /** The fd that it was imported from: an imported semaphore is not exportable. */
  readonly #imported: OwnedFd | undefined;
  readonly #native: NativeSemaphore;
  readonly #device: NativeDevice;
  readonly #use: Use;

  private constructor(
    type: SemaphoreType,
    kind: SemaphoreKind | undefined,
    made: { readonly native: NativeSemaphore; readonly device: NativeDevice; readonly imported?: OwnedFd },
    use: Use,
  ) {
    this.type = type;
    this.kind = kind;
    this.#native = made.native;
    this.#device = made.device;
    this.#imported = made.imported;
    this.#use = use;
  }

  /** @throws VkmemError as the driver fails. */
  static create(
    use: Use,
    type: SemaphoreType,
    initial: bigint,
    kind: SemaphoreKind | undefined,
  ): Promise<DeviceSemaphore> {
    return use(async ({ device }) => {
      const types = kind === undefined ? 0 : SEMAPHORE_HANDLE[kind];
      const made = await native(device.createSemaphore(type === 'TIMELINE', initial, types));
      return new DeviceSemaphore(type, kind, { native: made, device }, use);
    });
  }

  /**
   * Imports an OPAQUE_FD of an earlier daemon.
   * @param imported Taken, also on failure.
   * @throws VkmemError as the driver fails.
   */
  static async adopt(use: Use, type: SemaphoreType, imported: OwnedFd): Promise<DeviceSemaphore> {
    try {
      return await use(async ({ device }) => {
        const made = await native(device.importSemaphore(imported.fd, type === 'TIMELINE'));
        return new DeviceSemaphore(type, 'OPAQUE_FD', { native: made, device, imported }, use);
      });
    } catch (failure) {
      imported.close();
      throw failure;
    }
  }

  /**
   * Waits until one of the timelines has its value.
   * @param timeoutNs nanoseconds; a device thread waits that long at most.
   * @returns the indices of those that have it; none after the timeout.
   * @throws VkmemError DEVICE_LOST, or as the driver fails.
   */
  static waitAny(
    use: Use,
    points: readonly { readonly semaphore: DeviceSemaphore; readonly value: bigint }[],
    timeoutNs: bigint,
  ): Promise<readonly number[]> {
    return use(({ device }) => {
      for (const { semaphore } of points) semaphore.#requireOn(device);
      const natives = points.map(({ semaphore }) => semaphore.#native);
      const values = points.map(({ value }) => value);
      return native(device.waitAny(natives, values, timeoutNs));
    });
  }

  /**
   * A handle of its kind, which the caller owns; undefined for a SYNC_FD of a semaphore that is signalled
   * already, where the driver has no fd for that.
   * @throws VkmemError DEVICE_LOST, or as the driver fails.
   */
  async export(): Promise<OwnedFd | undefined> {
    const { kind } = this;
    if (kind === undefined) throw new TypeError('a semaphore without a kind is not exported');
    const owner = `semaphore:${kind}`;
    if (this.#imported) return this.#imported.dup(owner);
    const fd = await this.#on(() => this.#native.exportFd(SEMAPHORE_HANDLE[kind]));
    return fd < 0 ? undefined : new OwnedFd(fd, owner);
  }

  /** The counter of a timeline. @throws VkmemError DEVICE_LOST, or as the driver fails. */
  value(): Promise<bigint> {
    return this.#on(() => this.#native.value());
  }

  /**
   * Signals it: a timeline with its new counter; a binary semaphore in its turn on the queue.
   * @throws VkmemError INVALID_ARGUMENT if the counter is not less, or is too far away; DEVICE_LOST, or as the
   *   driver fails.
   */
  async signal(value: bigint): Promise<void> {
    if (this.type === 'BINARY') {
      await this.#on(() => this.#native.signalBinary());
      return;
    }
    try {
      await this.#on(() => this.#native.signal(value));
    } catch (failure) {
      if (!(failure instanceof VkmemError) || failure.metadata.vkResult !== 'RANGE') throw failure;
      const reason = `A timeline cannot be signalled with ${value}: ${failure.reason}`;
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'value' }, failure);
    }
  }

  /** Destroys it, once no wait and no signal under way uses it. @throws VkmemError if no thread can. */
  async free(): Promise<void> {
    this.#imported?.close();
    await native(this.#native.free());
  }

  #on<T>(call: () => Promise<T>): Promise<T> {
    return this.#use(({ device }) => {
      this.#requireOn(device);
      return native(call());
    });
  }

  /** Its handles are of the lost device: the current one must not be asked about them. */
  #requireOn(device: NativeDevice): void {
    if (device === this.#device) return;
    throw new VkmemError('DEVICE_LOST', 'The semaphore was lost with the device.');
  }
}
