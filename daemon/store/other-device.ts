/**
 * Decides which memory can be restored on another device or driver than before, after a GPU was replaced or a
 * driver was upgraded. Handles of the driver are valid only for the same device and driver
 * (VkPhysicalDeviceIDProperties). A memfd can be imported by any device.
 */
import { uuidText, VkmemError } from '@vkmemd/proto';
import type { Device, DeviceInfo, MadeBy, MemoryPlan } from '../vulkan/device.js';

/** Why memory that a driver allocated cannot be imported; undefined if device and driver are the same. */
export function otherDevice(info: DeviceInfo, before: MadeBy): VkmemError | undefined {
  for (const [what, uuid] of [
    ['device', 'deviceUuid'],
    ['driver', 'driverUuid'],
  ] as const) {
    if (Buffer.compare(before[uuid], info[uuid]) === 0) continue;
    const reason = `The ${what} was ${uuidText(before[uuid])} and is now ${uuidText(info[uuid])}.`;
    return new VkmemError('DEGRADED', reason);
  }
  return undefined;
}

/**
 * A plan by which another device can import memory of a memfd; undefined if it cannot, or the memory is not a
 * memfd.
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
