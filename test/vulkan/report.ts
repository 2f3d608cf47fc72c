/**
 * Opens the device of the current driver and prints the result as one line of JSON: the device's name and
 * rungs, or the code and reason of the VkmemError. With the argument `leak` it allocates memory that it never
 * frees, and does not close the device, before it ends.
 */
import { VkmemError } from '@vkmemd/proto';
import { Device } from 'vkmemd/dist/vulkan/device.js';

try {
  const device = await Device.open();
  let opaqueBytes = 0;
  if (device.kinds.get('OPAQUE_FD')?.rung === 'VERIFIED') {
    const memory = await device.allocate(await device.plan({ kinds: ['OPAQUE_FD'], size: 65_536n }), {
      name: 'report',
    });
    const { fd } = await memory.export('OPAQUE_FD', 'rw');
    fd?.close();
    opaqueBytes = Number(memory.size);
    if (!process.argv.includes('leak')) await memory.freeDevice();
  }
  if (!process.argv.includes('leak')) await device.close();
  console.log(
    JSON.stringify({
      name: device.info.name,
      kinds: Object.fromEntries(device.kinds),
      together: device.together,
      opaqueBytes,
    }),
  );
} catch (error) {
  if (!(error instanceof VkmemError)) throw error;
  console.log(JSON.stringify({ code: error.code, reason: error.reason }));
}
