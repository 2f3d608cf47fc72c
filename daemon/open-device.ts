/**
 * Opens the device: at once, or, where the daemon before had it, while this one already serves what was kept. The state
 * folder keeps what a start has found out about the device for the next one.
 */
import { uuidText } from '@vkmemd/proto';
import type { pino } from 'pino';
import { KnownDeviceFile } from './store/known-device.js';
import { MeasuredPagesFile } from './store/measured-pages.js';
import { version } from './version.js';
import { Device, kernelDriverOf } from './vulkan/device.js';

export interface OpenedDevice {
  /** The caller closes it. */
  readonly device: Device;
  /** Names the device in each line. */
  readonly log: pino.Logger;
  /** While it is opened: resolves when it is open, and rejects if it cannot be. Undefined if it is open. */
  readonly opening: Promise<void> | undefined;
}

/**
 * @param selector As DaemonOptions.device.
 * @param stateFolder Undefined for a daemon that keeps nothing.
 * @throws VkmemError as Device.open().
 */
export async function openDevice(
  selector: string | undefined,
  stateFolder: string | undefined,
  logger: pino.Logger,
): Promise<OpenedDevice> {
  const unkept = (what: string) => (err: unknown) =>
    logger.warn({ err }, `${what} could not be kept for a restart`);
  const pages =
    stateFolder === undefined
      ? undefined
      : new MeasuredPagesFile(stateFolder, unkept('the measurement of the device'));
  const file =
    stateFolder === undefined
      ? undefined
      : new KnownDeviceFile(
          stateFolder,
          { version: version(), selector, env: process.env, kernelDriver: kernelDriverOf },
          unkept('what is known of the device'),
        );
  const known = file?.read();
  const device = known ? Device.openLater(known, { pages }) : await Device.open(selector, { pages });
  const log = logger.child({ device: uuidText(device.info.deviceUuid) });
  const opened = () => {
    log.info('the device was opened');
    file?.save(device.known);
  };
  if (!device.opening) {
    opened();
    return { device, log, opening: undefined };
  }
  log.info('the device is opened while what was kept is served');
  const opening = device.opening.then(opened, (failure: unknown) => {
    // A daemon that stops meanwhile has found out nothing.
    if (!device.closed) file?.remove();
    throw failure;
  });
  // The owner of the daemon gets the failure.
  opening.catch(() => {});
  return { device, log, opening };
}
