/**
 * A peer on the same device: imports the opaque fd that it inherits as fd 3 and prints its contents.
 *
 * Arguments: size in bytes, memory type index. Prints one line of JSON: the sha256 of the bytes, and the
 * UUIDs of the device and the driver that it used.
 */
import { createHash } from 'node:crypto';
import { OwnedFd, uuidText } from '@vkmemd/proto';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { dispose, readAny } from './support.js';

const [size = '0', memoryTypeIndex = '0'] = process.argv.slice(2);
const device = await Device.open();
const wanted = {
  kinds: ['OPAQUE_FD' as const],
  size: BigInt(size),
  memoryTypeIndex: Number(memoryTypeIndex),
};
const memory = device.adopt(await device.plan(wanted), new Map([[1, new OwnedFd(3, 'imported')]]));
const bytes = await readAny(device, memory);
await dispose(memory);
await device.close();
console.log(
  JSON.stringify({
    sha256: createHash('sha256').update(bytes).digest('hex'),
    deviceUuid: uuidText(device.info.deviceUuid),
    driverUuid: uuidText(device.info.driverUuid),
  }),
);
