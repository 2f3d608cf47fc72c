/**
 * The VkDevice that there is at the moment, or the fact that there is none.
 *
 * A device may be lost (VK_ERROR_DEVICE_LOST: it hung, was reset, or went away); nothing can be done with it any more
 * but free what it has. From then on every use is refused, until reopen() has opened and probed the same physical
 * device anew.
 */
import { uuidText, VkmemError } from '@vkmemd/proto';
import { native, saysLost } from './errors.js';
import { type DeviceInfo, loadNative, type NativeDevice } from './native.js';
import { listDevices } from './physical-device.js';
import { Planner } from './planner.js';
import { type ProbeResult, probe } from './probe/probe.js';

/** A VkDevice and what was found of it. */
export interface Opened {
  readonly device: NativeDevice;
  readonly found: ProbeResult;
  readonly planner: Planner;
}

export class LiveDevice {
  readonly info: DeviceInfo;
  /** Called each time the device is found to be lost. */
  onLost: () => void = () => {};
  readonly #window: bigint;
  /** What was found last; stays while the device is lost. */
  #found: ProbeResult;
  /** Undefined while the device is lost. */
  #opened: Opened | undefined;
  #lost: NativeDevice | undefined;
  #closing: Promise<void> | undefined;

  private constructor(info: DeviceInfo, window: bigint, opened: Opened) {
    this.info = info;
    this.#window = window;
    this.#opened = opened;
    this.#found = opened.found;
  }

  /** @param window the most bytes of one transfer buffer; 0 for the default. @throws VkmemError as the driver fails. */
  static async open(info: DeviceInfo, window: bigint): Promise<LiveDevice> {
    return new LiveDevice(info, window, await openAndProbe(info, window));
  }

  get found(): ProbeResult {
    return this.#found;
  }

  /** Whether this is the device that there is now. */
  is(opened: Opened): boolean {
    return this.#opened === opened;
  }

  /**
   * Works with the device; notices where it turns out to be lost.
   * @throws VkmemError DEVICE_LOST where there is none, UNAVAILABLE once closed, or as the work fails.
   */
  async use<T>(work: (opened: Opened) => Promise<T>): Promise<T> {
    const opened = this.#opened;
    this.#requireWanted();
    if (opened === undefined) throw new VkmemError('DEVICE_LOST', 'The device is being opened again.');
    try {
      return await work(opened);
    } catch (error) {
      if (saysLost(error) && this.is(opened)) this.lose();
      else if (this.#wasTakenAway(opened, error)) {
        throw new VkmemError('DEVICE_LOST', 'The device was lost meanwhile.', {}, error);
      }
      throw error;
    }
  }

  /**
   * Resolves when a thread of the device has answered: with what the driver says of memory, which every allocation asks
   * too; and while the device is lost, with nothing but that it had its turn.
   * @throws VkmemError as the driver fails.
   */
  async answer(): Promise<void> {
    const opened = this.#opened;
    if (opened) {
      try {
        await native(opened.device.memoryBudget());
        return;
      } catch (error) {
        if (this.is(opened)) throw error;
      }
    }
    await native(loadNative().answer());
  }

  /** Whether a call failed since the device under it was lost by somebody else's word, and destroyed. */
  #wasTakenAway(opened: Opened, error: unknown): boolean {
    const byAddon = error instanceof VkmemError && error.metadata.vkResult !== undefined;
    return byAddon && !saysLost(error) && !this.is(opened) && this.#closing === undefined;
  }

  /** The driver said that the device is lost. */
  lose(): void {
    if (this.#opened === undefined) return;
    this.#lost = this.#opened.device;
    this.#opened = undefined;
    this.onLost();
  }

  /**
   * Puts a new VkDevice, probed anew, in the place of the lost one. Every memory of that has been let go of before.
   * After a failure it can be tried again.
   * @throws VkmemError as the driver fails; UNAVAILABLE once closed.
   */
  async reopen(): Promise<void> {
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost) await native(lost.destroy());
    this.#requireWanted();
    const opened = await openAndProbe(await this.#again(), this.#window);
    if (this.#closing !== undefined) await native(opened.device.destroy());
    this.#requireWanted();
    this.#found = opened.found;
    this.#opened = opened;
  }

  /**
   * The same physical device as the loader lists it now: others may have come or gone since.
   * @throws VkmemError UNAVAILABLE where it is not there.
   */
  async #again(): Promise<DeviceInfo> {
    const same = (await listDevices()).find(
      ({ deviceUuid }) => Buffer.compare(deviceUuid, this.info.deviceUuid) === 0,
    );
    if (same) return same;
    throw new VkmemError(
      'UNAVAILABLE',
      `The device ${uuidText(this.info.deviceUuid)} is not listed any more.`,
    );
  }

  /** Destroys the VkDevice. Memories that still live keep it open until they are freed. */
  close(): Promise<void> {
    const device = this.#opened?.device ?? this.#lost;
    this.#opened = undefined;
    this.#lost = undefined;
    this.#closing ??= device ? native(device.destroy()) : Promise.resolve();
    return this.#closing;
  }

  #requireWanted(): void {
    if (this.#closing !== undefined) throw new VkmemError('UNAVAILABLE', 'The device is closed.');
  }
}

/** @throws VkmemError as the driver fails. */
async function openAndProbe(info: DeviceInfo, window: bigint): Promise<Opened> {
  const device = await native(loadNative().openDevice(info.index, window));
  try {
    const found = await probe(device, info);
    return { device, found, planner: new Planner(device, info, found) };
  } catch (error) {
    await native(device.destroy());
    throw error;
  }
}
