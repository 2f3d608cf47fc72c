/**
 * The current VkDevice, or none after a loss.
 *
 * A device may be lost (VK_ERROR_DEVICE_LOST: it hung, was reset, or was removed). Its objects can then only
 * be freed. Every use is refused until reopen() has opened and probed the same physical device again.
 *
 * A device that an earlier start knew (known-device.ts) is opened while the daemon serves: every use waits for it.
 */
import { isDeepStrictEqual } from 'node:util';
import { AsyncDisposableStack, uuidText, VkmemError } from '@vkmemd/proto';
import type { Capabilities } from './capabilities.js';
import { native, saysLost } from './errors.js';
import type { KnownDevice } from './known-device.js';
import { type DeviceInfo, loadNative, type NativeDevice } from './native.js';
import type { PageMeasurement, PageMeasurementStore } from './page-measurement.js';
import { listDevices } from './physical-device.js';
import { Planner } from './planner.js';
import { probe } from './probe/probe.js';

export interface OpenOptions {
  /**
   * The maximum size of one transfer buffer in bytes; at least 8192. Default: 1 GiB, or the driver's maximum
   * if that is smaller.
   */
  readonly window?: bigint;
  /** What earlier starts measured. Default: the device is measured. */
  readonly pages?: PageMeasurementStore | undefined;
}

/** A VkDevice, its capabilities and its planner. */
export interface Opened {
  readonly device: NativeDevice;
  readonly capabilities: Capabilities;
  readonly planner: Planner;
}

export class LiveDevice {
  readonly info: DeviceInfo;
  /** Called each time that the device is marked as lost. */
  onLost: () => void = () => {};
  readonly #options: OpenOptions;
  /** The capabilities of the last device; they stay while the device is lost. */
  #capabilities: Capabilities;
  /** Undefined while the device is lost, or opened for the first time. */
  #opened: Opened | undefined;
  /** While a known device is opened for the first time; afterwards if that failed. */
  #opening: Promise<void> | undefined;
  #lost: NativeDevice | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    { info, capabilities }: { readonly info: DeviceInfo; readonly capabilities: Capabilities },
    options: OpenOptions,
    opened: Opened | undefined,
  ) {
    this.info = info;
    this.#options = options;
    this.#opened = opened;
    this.#capabilities = capabilities;
  }

  /**
   * @throws VkmemError if the driver fails.
   */
  static async open(info: DeviceInfo, options: OpenOptions): Promise<LiveDevice> {
    const opened = await openAndProbe(info, options);
    return new LiveDevice({ info, capabilities: opened.capabilities }, options, opened);
  }

  /** Begins to open a device that an earlier start knew; see `opening`. */
  static openLater(known: KnownDevice, options: OpenOptions): LiveDevice {
    const device = new LiveDevice(known, options, undefined);
    device.#opening = device.#openKnown();
    // Its users get the failure.
    device.#opening.catch(() => {});
    return device;
  }

  /**
   * While a known device is opened: resolves when it is open, and rejects if it cannot be, or is another one; every use
   * rejects then. Undefined once it is open.
   */
  get opening(): Promise<void> | undefined {
    return this.#opening;
  }

  async #openKnown(): Promise<void> {
    const known = this.#capabilities;
    const info = await this.#sameDevice();
    requireSame(this.info, info);
    const opened = await openAndProbe(info, this.#options, known.pages);
    if (this.#closing !== undefined) await native(opened.device.destroy());
    this.#requireOpen();
    this.#capabilities = opened.capabilities;
    this.#opened = opened;
    this.#opening = undefined;
  }

  get capabilities(): Capabilities {
    return this.#capabilities;
  }

  /** Whether this is the current device. */
  isCurrent(opened: Opened): boolean {
    return this.#opened === opened;
  }

  /**
   * Runs `work` with the device, and marks the device as lost if the driver reports it.
   * @throws VkmemError DEVICE_LOST while there is no device, UNAVAILABLE once closed, or as `work` fails.
   */
  async use<T>(work: (opened: Opened) => Promise<T>): Promise<T> {
    if (this.#opening) await this.#opening;
    const opened = this.#opened;
    this.#requireOpen();
    if (opened === undefined) throw new VkmemError('DEVICE_LOST', 'The device is being reopened.');
    try {
      return await work(opened);
    } catch (error) {
      if (saysLost(error) && this.isCurrent(opened)) this.lose();
      else if (this.#failedByLoss(opened, error)) {
        throw new VkmemError('DEVICE_LOST', 'The device was lost during the call.', {}, error);
      }
      throw error;
    }
  }

  /**
   * Resolves when a thread of the device has queried the memory budget, as every allocation does. While the
   * device is lost, it resolves when any device thread has run.
   * @throws VkmemError if the driver fails.
   */
  async answer(): Promise<void> {
    const opened = this.#opened;
    if (opened) {
      try {
        await native(opened.device.memoryBudget());
        return;
      } catch (error) {
        if (this.isCurrent(opened)) throw error;
      }
    }
    await native(loadNative().answer());
  }

  /** Whether a call failed because another call found the device lost, and the device was destroyed. */
  #failedByLoss(opened: Opened, error: unknown): boolean {
    const byAddon = error instanceof VkmemError && error.metadata.vkResult !== undefined;
    return byAddon && !saysLost(error) && !this.isCurrent(opened) && this.#closing === undefined;
  }

  /** Marks the device as lost, after the driver reported it. */
  lose(): void {
    if (this.#opened === undefined) return;
    this.#lost = this.#opened.device;
    this.#opened = undefined;
    this.onLost();
  }

  /**
   * Replaces the lost VkDevice by a new one, and probes it. The caller has detached or freed all memories of
   * the lost device before. After a failure it can be called again.
   * @throws VkmemError if the driver fails; UNAVAILABLE once closed.
   */
  async reopen(): Promise<void> {
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost) await native(lost.destroy());
    this.#requireOpen();
    const opened = await openAndProbe(await this.#sameDevice(), this.#options, this.#capabilities.pages);
    if (this.#closing !== undefined) await native(opened.device.destroy());
    this.#requireOpen();
    this.#capabilities = opened.capabilities;
    this.#opened = opened;
  }

  /**
   * The same physical device as the loader lists it now; its index may have changed.
   * @throws VkmemError UNAVAILABLE if it is not listed.
   */
  async #sameDevice(): Promise<DeviceInfo> {
    const same = (await listDevices()).find(
      ({ deviceUuid }) => Buffer.compare(deviceUuid, this.info.deviceUuid) === 0,
    );
    if (same) return same;
    throw new VkmemError('UNAVAILABLE', `The device ${uuidText(this.info.deviceUuid)} is no longer listed.`);
  }

  /** Whether close() was called. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Destroys the VkDevice once all memories are freed. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // What is being opened is destroyed there.
    if (this.#opening) await Promise.allSettled([this.#opening]);
    const device = this.#opened?.device ?? this.#lost;
    this.#opened = undefined;
    this.#lost = undefined;
    if (device) await native(device.destroy());
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new VkmemError('UNAVAILABLE', 'The device is closed.');
  }
}

/**
 * @param known What was measured of the same device before.
 * @throws VkmemError if the driver fails.
 */
async function openAndProbe(
  info: DeviceInfo,
  { window = 0n, pages }: OpenOptions,
  known?: PageMeasurement,
): Promise<Opened> {
  await using undo = new AsyncDisposableStack();
  const device = undo.adopt(await native(loadNative().openDevice(info.index, window)), (opened) =>
    native(opened.destroy()),
  );
  const capabilities = await probe(device, info, pages, known);
  undo.move();
  return { device, capabilities, planner: new Planner(device, info, capabilities) };
}

/** @throws VkmemError UNAVAILABLE if the device is not as it was known; its index may have changed. */
function requireSame(known: DeviceInfo, now: DeviceInfo): void {
  const anywhere = { index: 0, hostIndex: 0 };
  if (isDeepStrictEqual({ ...known, ...anywhere }, { ...now, ...anywhere })) return;
  const uuid = uuidText(known.deviceUuid);
  throw new VkmemError('UNAVAILABLE', `The device ${uuid} is not as the daemon before it knew it.`);
}
