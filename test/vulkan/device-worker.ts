/**
 * A worker thread with a device of its own: allocates both kinds, moves bytes, posts a message, and then
 * either ends by itself or waits to be terminated, without freeing anything.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { make } from './support.js';

const device = await Device.open();
const source = await make(device, 1n << 20n, ['OPAQUE_FD']);
const target = await make(device, 1n << 20n, ['MAPPABLE']);
await device.fill(source, 0n, source.size, 7);
await device.copy(source, 0n, target, 0n, source.size);
parentPort?.postMessage(device.liveMemories);
if (workerData === 'busy') {
  for (;;) await device.copy(source, 0n, target, 0n, source.size);
}
