/**
 * Uses granted memory as its receiver would: bytes through a mapping and through the device, an import in
 * another process, an address; then claims it again, twice at once. No step may fail once the memory was
 * granted.
 */
import { deepStrictEqual, equal, notEqual, ok, throws } from 'node:assert/strict';
import { createHash, randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Memory } from '@vkmemd/client';
import { type Grant, type KindName, kindFromWire, type OwnedFd, uuidText } from '@vkmemd/proto';
import type { Wanted } from './importer.js';
import type { Seat } from './seat.js';

const PATTERN = 0x5eedc0de;
const O_CLOEXEC = 0o2000000;
const TILINGS: Readonly<Record<string, number>> = {
  IMAGE_TILING_LINEAR: 1,
  IMAGE_TILING_DRM_FORMAT_MODIFIER: 1_000_158_000,
};
const IMAGE_TYPES = ['IMAGE_TYPE_1D', 'IMAGE_TYPE_2D', 'IMAGE_TYPE_3D'];

/** Transfers cannot reach memory that is dedicated to an image. */
const transferable = ({ allocation }: Memory): boolean => !(allocation.dedicated && allocation.image);

/**
 * Uses the memory as each of its kinds, then claims it again.
 * @param peers whether another process imports it too, which takes some time.
 */
export async function useAll(seat: Seat, memory: Memory, peers = true): Promise<void> {
  const wanted = memory.kinds;
  deepStrictEqual(
    memory.grants.map(({ kind }) => kindFromWire(kind)),
    wanted,
    'a grant for each kind',
  );
  for (const grant of memory.grants) describes(seat, memory, grant);
  for (const kind of wanted) await USES[kind](seat, memory, peers);
  const retried = await Promise.all([0, 1].map(() => seat.client.claim(memory, { kinds: wanted })));
  const { grants } = await seat.client.get(memory);
  equal(grants, 3 * wanted.length, 'all of them are held at once');
  for (const claimed of retried) {
    for (const kind of wanted) sameMemory(kind, memory, claimed);
    await claimed.release();
  }
}

/** A grant's description must agree with ListDevices and the allocation. */
function describes({ device }: Seat, { allocation, size }: Memory, grant: Grant): void {
  const type = device.memoryTypes[grant.memoryTypeIndex];
  equal(grant.memoryTypeIndex, allocation.memoryTypeIndex);
  equal(grant.memoryPropertyFlags, type?.propertyFlags);
  equal(grant.heapIndex, type?.heapIndex);
  equal(grant.allocationSizeBytes, size);
  equal(grant.dedicated, allocation.dedicated);
  equal(uuidText(grant.deviceUuid), uuidText(device.deviceUuid));
  equal(uuidText(grant.driverUuid), uuidText(device.driverUuid));
  equal(grant.fdCount, kindFromWire(grant.kind) === 'RDMA_ADDRESS' ? 0 : 1);
}

type Use = (seat: Seat, memory: Memory, peers: boolean) => Promise<void>;

const USES: Readonly<Record<KindName, Use>> = {
  MAPPABLE: useMapped,
  OPAQUE_FD: (...use) => useImported('OPAQUE_FD', ...use),
  DMA_BUF: (...use) => useImported('DMA_BUF', ...use),
  RDMA_ADDRESS: async (_, memory) => {
    notEqual(memory.remoteAddress, 0n);
    throws(() => memory.fd('RDMA_ADDRESS'), { code: 'KIND_NOT_REQUESTED' });
  },
};

/** The device's writes are visible here, and ours to the device. */
async function useMapped({ client }: Seat, memory: Memory): Promise<void> {
  using map = memory.map();
  equal(BigInt(map.length), memory.size);
  if (transferable(memory)) {
    await client.transfer({ fill: { to: memory, pattern: PATTERN } });
    map.sync();
    equal(Buffer.compare(map.bytes, patterned(map.length, PATTERN)), 0, "the device's fill is visible");
  }
  randomFillSync(map.bytes);
  map.sync();
  if (!transferable(memory)) return;
  await using copy = await client.allocate({ size: memory.size });
  await client.transfer({ copy: { from: memory, to: copy, size: memory.size } });
  using seen = copy.map({ length: map.length });
  equal(Buffer.compare(map.bytes, seen.bytes), 0, 'the device copied the bytes written here');
}

/** The bytes that a fill by the device leaves. */
export function patterned(length: number, pattern: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(pattern);
  return Buffer.alloc(length, bytes);
}

/**
 * Another process sees the device's writes. Not where the memory is a memfd too: the daemon only states that
 * it is exported, because NVIDIA's driver rejects such an fd in Vulkan and breaks the device that tried.
 */
async function useImported(
  kind: 'OPAQUE_FD' | 'DMA_BUF',
  ...[seat, memory, peers]: Parameters<Use>
): Promise<void> {
  if (transferable(memory)) await seat.client.transfer({ fill: { to: memory, pattern: PATTERN } });
  const mapped = memory.grants.find((one) => kindFromWire(one.kind) === 'MAPPABLE');
  if (peers && (!mapped || mapped.dmaBufSync)) await importerSees(seat, memory, kind, PATTERN);
}

/** Asserts that a process which imports the grant of the kind finds the pattern in all of the memory. */
export async function importerSees(
  { peer, device }: Seat,
  memory: Memory,
  kind: 'OPAQUE_FD' | 'DMA_BUF',
  pattern: number,
): Promise<void> {
  const grant = memory.grants.find((one) => kindFromWire(one.kind) === kind);
  if (!grant) throw new Error(`no grant of ${kind}`);
  using fd = memory.fd(kind);
  const seen = await peer.look(fd, importOf(grant));
  const expected = createHash('sha256')
    .update(patterned(Number(memory.size), pattern))
    .digest('hex');
  deepStrictEqual(seen, {
    sha256: transferable(memory) ? expected : null,
    deviceUuid: uuidText(device.deviceUuid),
    driverUuid: uuidText(device.driverUuid),
  });
}

/** The parameters that the importer must repeat, in Vulkan's numbers. */
function importOf(grant: Grant): Wanted {
  const { buffer, image } = grant;
  const description = image?.description;
  const dedicated = buffer
    ? { what: 'buffer' as const, usage: buffer.usage }
    : description && {
        ...description,
        what: 'image' as const,
        type: IMAGE_TYPES.indexOf(description.type),
        tiling: TILINGS[description.tiling] ?? 0,
        ...(image?.sameDeviceAndDriver === false && {
          modifiers: description.drmFormatModifiers,
          planes: image.planes,
        }),
      };
  return {
    deviceUuid: uuidText(grant.deviceUuid),
    handleType: grant.vulkanHandleType,
    size: Number(grant.allocationSizeBytes),
    memoryTypeIndex: grant.memoryTypeIndex,
    dedicated: (grant.dedicated && dedicated) || null,
  };
}

/** Asserts that a second grant is of the same memory, as its kind shows, and that its fd is CLOEXEC. */
function sameMemory(kind: KindName, memory: Memory, claimed: Memory): void {
  equal(claimed.id, memory.id);
  if (kind === 'RDMA_ADDRESS') {
    equal(claimed.remoteAddress, memory.remoteAddress);
    return;
  }
  using fd = claimed.fd(kind);
  ok(isCloseOnExec(fd), `the fd of ${kind} is close-on-exec`);
  if (kind !== 'MAPPABLE') return;
  using first = memory.map({ access: 'ro' });
  using second = claimed.map();
  equal(Buffer.compare(first.bytes, second.bytes), 0, 'both grants map the same bytes');
}

function isCloseOnExec(fd: OwnedFd): boolean {
  const info = readFileSync(`/proc/self/fdinfo/${fd.fd}`, 'utf8');
  const flags = Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? '0', 8);
  return (flags & O_CLOEXEC) !== 0;
}
