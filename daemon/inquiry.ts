/**
 * Inquiries: the options that print something about the policy or the host, and exit. Neither a device nor the
 * runtime folder is opened.
 */

import { unitSettingsText } from './limits/unit-settings.js';
import type { Options } from './options.js';
import { checkPolicy } from './policy/check.js';
import { loadPolicy } from './policy/load.js';
import { deviceListObject, deviceListText } from './vulkan/device-list.js';
import { listDevices } from './vulkan/physical-device.js';

/**
 * Prints the answer to standard output.
 * @returns the exit status; undefined where the options contain no inquiry.
 * @throws PolicyError for --unit-settings, where the policy has a fault; VkmemError UNAVAILABLE for --list-devices,
 *   where there is no device.
 */
export async function answerInquiry({
  policy,
  checkConfig,
  unitSettings,
  listDevices: listing,
}: Options): Promise<number | undefined> {
  if (checkConfig) {
    const { well, object, lines } = await checkPolicy(policy);
    await print(checkConfig === 'json' ? JSON.stringify(object) : lines.join('\n'));
    return well ? 0 : 1;
  }
  if (listing) {
    const devices = (await listDevices()).toSorted((a, b) => a.hostIndex - b.hostIndex);
    await print(listing === 'json' ? JSON.stringify(deviceListObject(devices)) : deviceListText(devices));
    return 0;
  }
  if (!unitSettings) return undefined;
  await print(unitSettingsText((await loadPolicy(policy)).policy.limits));
  return 0;
}

async function print(text: string): Promise<void> {
  // A reader may close the pipe early, as head(1) does. That is not a failure: the exit status is the result.
  process.stdout.on('error', (failure: NodeJS.ErrnoException) => {
    if (failure.code !== 'EPIPE') throw failure;
  });
  await new Promise((resolve) => process.stdout.write(`${text}\n`, resolve));
}
