/**
 * Prints the devices of the current drivers, best first, as one line of JSON; an empty list where no driver
 * finds one.
 */
import { uuidText, VkmemError } from '@vkmemd/proto';
import { listDevices } from 'vkmemd/dist/vulkan/physical-device.js';

try {
  const devices = await listDevices();
  const listed = devices.map(({ name, type, deviceUuid }) => ({ name, type, uuid: uuidText(deviceUuid) }));
  console.log(JSON.stringify(listed));
} catch (failure) {
  if (!(failure instanceof VkmemError) || failure.code !== 'UNAVAILABLE') throw failure;
  console.log('[]');
}
