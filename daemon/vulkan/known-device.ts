/**
 * A device as an earlier start found it, so that a daemon can serve kept memory before it has opened the device.
 *
 * That is safe only if device and driver are certainly the same. A Vulkan driver says that itself once it is loaded,
 * which takes long. NVIDIA's user-space driver works with a kernel driver of exactly its version only, so within one
 * boot the version of that kernel driver identifies the driver, and the kernel driver lists its devices. Of
 * other drivers the kernel says nothing about the part in user space: those are opened first.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { uuidText } from '@vkmemd/proto';
import type { Capabilities } from './capabilities.js';
import type { DeviceInfo } from './native.js';
import type { HostDevice } from './physical-device.js';

/** What the daemon knows of a device once it was opened and probed. */
export interface KnownDevice {
  readonly info: HostDevice;
  readonly capabilities: Capabilities;
}

/** VK_DRIVER_ID_NVIDIA_PROPRIETARY. */
const NVIDIA_PROPRIETARY = 4;
const NVIDIA_FOLDER = '/proc/driver/nvidia';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/**
 * Identifies this boot and the kernel driver of the device, if that lists the device; undefined where the kernel has no
 * such information.
 */
export function kernelDriverOf({ driverId, deviceUuid }: DeviceInfo): string | undefined {
  if (driverId !== NVIDIA_PROPRIETARY) return undefined;
  try {
    const version = readFileSync(join(NVIDIA_FOLDER, 'version'), 'utf8');
    const boot = readFileSync(BOOT_ID, 'utf8');
    return listsGpu(uuidText(deviceUuid)) ? `${boot}${version}` : undefined;
  } catch {
    // A container without these files, or the driver is not loaded.
    return undefined;
  }
}

function listsGpu(uuid: string): boolean {
  const folder = join(NVIDIA_FOLDER, 'gpus');
  return readdirSync(folder).some((address) => {
    const text = readFileSync(join(folder, address, 'information'), 'utf8').toLowerCase();
    return text.includes(`gpu-${uuid}`);
  });
}
