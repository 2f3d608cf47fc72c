/**
 * Another process on the same device: imports fds and tells their contents.
 *
 * It serves fd 3, a SOCK_SEQPACKET socket, until the other side closes it. A request is the JSON of Wanted with
 * one fd; the answer is the JSON of Answer. Every import has a device of its own.
 */
import { createHash } from 'node:crypto';
import { Connection, OwnedFd, uuidText } from '@vkmemd/proto';
import { loadNative, type NativeDevice, type NativeImage } from 'vkmemd/dist/vulkan/native.js';
import { listDevices } from 'vkmemd/dist/vulkan/physical-device.js';
import { readBigint } from './bigint-json.js';

/** The fields of a grant that an importer needs. */
export interface Wanted {
  readonly deviceUuid: string;
  readonly handleType: number;
  readonly size: number;
  readonly memoryTypeIndex: number;
  /** The resource that the memory is dedicated to; a buffer is as large as the memory. */
  readonly dedicated: NativeImage | { readonly what: 'buffer'; readonly usage: number } | null;
}

/** What an import found. */
export interface Seen {
  /** Of the bytes; null where no transfer can read them (memory dedicated to an image). */
  readonly sha256: string | null;
  readonly deviceUuid: string;
  readonly driverUuid: string;
}

export type Answer = { readonly seen: Seen } | { readonly failure: string };

const DMA_BUF = 0x200;
const HOST_VISIBLE_AND_COHERENT = 0x6;
const TRANSFER = { what: 'buffer', usage: 0x3 } as const;

const devices = await listDevices();
type Info = (typeof devices)[number];

/**
 * The exporter's memory type; for a dma-buf where the driver does not allow that type, the last that it
 * allows.
 */
async function typeOf(device: NativeDevice, fd: OwnedFd, wanted: Wanted): Promise<number> {
  if (wanted.handleType !== DMA_BUF) return wanted.memoryTypeIndex;
  const bits = await device.fdTypeBits(fd.fd, DMA_BUF);
  return ((bits >>> wanted.memoryTypeIndex) & 1) === 1 ? wanted.memoryTypeIndex : 31 - Math.clz32(bits);
}

/** A type that the host can read and a transfer can write. */
async function readableType(device: NativeDevice, info: Info, size: bigint): Promise<number> {
  const { memoryTypeBits } = await device.requirements({ ...TRANSFER, size }, 0);
  const fits = (flags: number, index: number): boolean =>
    (flags & HOST_VISIBLE_AND_COHERENT) === HOST_VISIBLE_AND_COHERENT &&
    ((memoryTypeBits >>> index) & 1) === 1;
  return info.memoryTypes.findIndex(({ flags }, index) => fits(flags, index));
}

/** Imports the fd, which stays the caller's, and reads it. */
async function hashOf(
  device: NativeDevice,
  info: Info,
  fd: OwnedFd,
  wanted: Wanted,
): Promise<Seen['sha256']> {
  const size = BigInt(wanted.size);
  const { dedicated } = wanted;
  const resource = dedicated?.what === 'buffer' ? { ...dedicated, size } : (dedicated ?? undefined);
  const type = await typeOf(device, fd, wanted);
  const memory = await device.importFd(fd.fd, wanted.handleType, size, type, resource);
  let sha256: string | null = null;
  if (resource?.what !== 'image') {
    const seen = await device.allocate(size, await readableType(device, info, size), 0);
    await device.copy(memory, 0n, seen, 0n, size);
    sha256 = createHash('sha256')
      .update(Buffer.from(await seen.read(0n, size)))
      .digest('hex');
    await seen.free();
  }
  await memory.free();
  return sha256;
}

async function look(wanted: Wanted, fd: OwnedFd | undefined): Promise<Seen> {
  if (!fd) throw new Error('the request has no fd');
  const info = devices.find(({ deviceUuid }) => uuidText(deviceUuid) === wanted.deviceUuid);
  if (!info) throw new Error(`no device ${wanted.deviceUuid}`);
  const device = await loadNative().openDevice(info.index, 0n);
  try {
    const sha256 = await hashOf(device, info, fd, wanted);
    return { sha256, deviceUuid: uuidText(info.deviceUuid), driverUuid: uuidText(info.driverUuid) };
  } finally {
    await device.destroy();
  }
}

async function answer(request: string, fds: readonly OwnedFd[]): Promise<Answer> {
  try {
    return { seen: await look(JSON.parse(request, readBigint) as Wanted, fds[0]) };
  } catch (failure) {
    return { failure: failure instanceof Error ? (failure.stack ?? failure.message) : String(failure) };
  } finally {
    for (const fd of fds) fd.close();
  }
}

const connection = new Connection(
  new OwnedFd(3, 'requests'),
  {
    message: (data, fds) =>
      void answer(data.toString(), fds).then((said) => connection.send(Buffer.from(JSON.stringify(said)))),
    close: () => {},
  },
  { maxFds: 1 },
);
