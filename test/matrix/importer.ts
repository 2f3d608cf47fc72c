/**
 * Another process on the same device: imports the fd that it inherits as fd 3 and prints its contents.
 *
 * Its argument is JSON: the parameters that an importer must repeat (Wanted). Prints one line of JSON: the
 * sha256 of the bytes, null where no transfer can read them (memory dedicated to an image), and the UUIDs of
 * the device and driver that it used.
 */
import { createHash } from 'node:crypto';
import { uuidText } from '@vkmemd/proto';
import { loadNative, type NativeImage } from 'vkmemd/dist/vulkan/native.js';
import { listDevices } from 'vkmemd/dist/vulkan/physical-device.js';

/** The fields of a grant that an importer needs. */
export interface Wanted {
  readonly deviceUuid: string;
  readonly handleType: number;
  readonly size: number;
  readonly memoryTypeIndex: number;
  /** The resource that the memory is dedicated to; a buffer is as large as the memory. */
  readonly dedicated: NativeImage | { readonly what: 'buffer'; readonly usage: number } | null;
}

const DMA_BUF = 0x200;
const HOST_VISIBLE_AND_COHERENT = 0x6;
const TRANSFER = { what: 'buffer', usage: 0x3 } as const;

const wanted = JSON.parse(process.argv[2] ?? '') as Wanted;
const info = (await listDevices()).find(({ deviceUuid }) => uuidText(deviceUuid) === wanted.deviceUuid);
if (!info) throw new Error(`no device ${wanted.deviceUuid}`);
const device = await loadNative().openDevice(info.index, 0n);
const size = BigInt(wanted.size);

/**
 * The exporter's memory type; for a dma-buf where the driver does not allow that type, the last that it
 * allows.
 */
async function typeOf(): Promise<number> {
  if (wanted.handleType !== DMA_BUF) return wanted.memoryTypeIndex;
  const bits = await device.fdTypeBits(3, DMA_BUF);
  return ((bits >>> wanted.memoryTypeIndex) & 1) === 1 ? wanted.memoryTypeIndex : 31 - Math.clz32(bits);
}

/** A type that the host can read and a transfer can write. */
async function readableType(): Promise<number> {
  const { memoryTypeBits } = await device.requirements({ ...TRANSFER, size }, 0);
  const fits = (flags: number, index: number): boolean =>
    (flags & HOST_VISIBLE_AND_COHERENT) === HOST_VISIBLE_AND_COHERENT &&
    ((memoryTypeBits >>> index) & 1) === 1;
  return info?.memoryTypes.findIndex(({ flags }, index) => fits(flags, index)) ?? -1;
}

const { dedicated } = wanted;
const resource = dedicated?.what === 'buffer' ? { ...dedicated, size } : (dedicated ?? undefined);
const memory = await device.importFd(3, wanted.handleType, size, await typeOf(), resource);
let sha256: string | null = null;
if (resource?.what !== 'image') {
  const seen = await device.allocate(size, await readableType(), 0);
  await device.copy(memory, 0n, seen, 0n, size);
  sha256 = createHash('sha256')
    .update(Buffer.from(await seen.read(0n, size)))
    .digest('hex');
  await seen.free();
}
await memory.free();
await device.destroy();
const [deviceUuid, driverUuid] = [uuidText(info.deviceUuid), uuidText(info.driverUuid)];
console.log(JSON.stringify({ sha256, deviceUuid, driverUuid }));
