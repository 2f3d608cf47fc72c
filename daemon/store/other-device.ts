/**
 * Which memory is restored when the device, or the driver, is another one than before: a GPU that was
 * replaced, an upgrade of the driver. What the driver made means something to the same device and driver
 * alone (VkPhysicalDeviceIDProperties); a memfd is the host's, and any device may import it.
 */
import { uuidText, VkmemError } from '@vkmemd/proto';
import type { Device, DeviceInfo, MadeBy, MemoryPlan } from '../vulkan/device.js';

/**
 * Why memory of the driver's own cannot be imported; undefined where it is of this very device and driver.
 */
export function otherDevice(info: DeviceInfo, before: MadeBy): VkmemError | undefined {
  for (const [what, uuid] of [
    ['device', 'deviceUuid'],
    ['driver', 'driverUuid'],
  ] as const) {
    if (Buffer.compare(before[uuid], info[uuid]) === 0) continue;
    const reason = `The ${what} was ${uuidText(before[uuid])}, and is ${uuidText(info[uuid])}.`;
    return new VkmemError('DEGRADED', reason);
  }
  return undefined;
}

/**
 * How another device can import what is stored in a memfd; undefined where it cannot, or the memory was the
 * driver's own.
 * @throws VkmemError DEVICE_LOST.
 */
export async function planAnew(device: Device, before: MemoryPlan): Promise<MemoryPlan | undefined> {
  const { kinds, size, publishable, memfd, hints } = before;
  if (!memfd) return undefined;
  try {
    const plan = await device.plan({ kinds, size, publishable, hints });
    return plan.memfd && plan.size === size ? plan : undefined;
  } catch (refusal) {
    if (refusal instanceof VkmemError && refusal.code !== 'DEVICE_LOST') return undefined;
    throw refusal;
  }
}
