/**
 * A peer on the same device, with a Vulkan device of its own: imports the opaque fd that it inherits as fd 3.
 * Its argument is JSON: size, memoryTypeIndex, and bufferUsage or image for dedicated memory. Prints whether
 * the import was dedicated, and the sha256 of the bytes; no hash for an image, because an image's memory
 * cannot be read by a transfer.
 */
import { createHash } from 'node:crypto';
import { HandleType } from 'vkmemd/dist/vulkan/flags.js';
import { loadNative, type NativeResource } from 'vkmemd/dist/vulkan/native.js';

const TILINGS: Readonly<Record<string, number>> = { IMAGE_TILING_OPTIMAL: 0, IMAGE_TILING_LINEAR: 1 };
const reported = JSON.parse(process.argv[2] ?? '{}');
const size = BigInt(reported.size);

function resource(): NativeResource | undefined {
  if (!reported.dedicated) return undefined;
  if (reported.bufferUsage !== undefined) return { what: 'buffer', size, usage: reported.bufferUsage };
  const { format, width, height, depth, mipLevels, arrayLayers, samples, usage } = reported.image;
  const tiling = TILINGS[reported.image.tiling] ?? 0;
  const extent = { width, height, depth, mipLevels, arrayLayers };
  return {
    what: 'image',
    flags: reported.image.flags ?? 0,
    type: 1,
    format,
    ...extent,
    samples,
    tiling,
    usage,
  };
}

// Uses the addon directly: such a driver may have no memory with which a second device of the daemon's kind
// could read it.
const device = await loadNative().openDevice(0, 0n);
const dedicated = resource();
const memory = await device.importFd(3, HandleType.OPAQUE_FD, size, reported.memoryTypeIndex, dedicated);
const bytes = dedicated?.what === 'image' ? undefined : Buffer.from(await memory.read(0n, size));
const sha256 = bytes && createHash('sha256').update(bytes).digest('hex');
await memory.free();
await device.destroy();
console.log(JSON.stringify({ dedicated: dedicated !== undefined, sha256 }));
