/**
 * MAPPABLE: memory whose handle a client can mmap.
 *
 * The memfd comes first: it is made, filled with pages and sealed against resizing, mapped into this process and
 * imported with VK_EXT_external_memory_host. One that may be published
 * is not sealed against further seals yet; hints.ts says what else it may be. Device and clients then use the same pages, and nothing of the
 * driver's own (no vkMapMemory, no opaque fd) is ever handed out to be mapped. A new memfd reads as zero. Where that
 * does not work, a dma-buf that the kernel lets be mapped does (dma-buf.ts).
 *
 * The daemon keeps one fd, the memfd itself. A grant is the memfd reopened, an open file description of its own:
 * its access mode is enforced by the kernel, and the daemon can ask whether anybody else still holds the file.
 * Memory that a client imported is never MAPPABLE: the client has its fd already.
 */
import { type AccessName, createMemfd, type OwnedFd, reopenMemfd, sizeOf, VkmemError } from '@vkmemd/proto';
import { refuseForBuffers } from './claims.js';
import { native } from './errors.js';
import type { ExportedHandle } from './exported-handle.js';
import { Extension, HandleType } from './flags.js';
import { type KindReport, refused, unsupported, verified } from './kinds.js';
import type { NativeDevice, NativeMemory } from './native.js';
import type { MemoryPlan } from './planner.js';
import { equalWords, HostSample, type ProbeSubject, words } from './probe/sample.js';

/** What of a plan matters to an import: see MemoryPlan. */
export type HostPlan = Pick<MemoryPlan, 'size' | 'memoryTypeIndex' | 'handleTypes'> &
  Partial<Pick<MemoryPlan, 'publishable' | 'hints'>>;

/** Device memory and the memfd under it, which the holder closes. */
export interface MappableMemory {
  readonly memory: NativeMemory;
  readonly memfd: OwnedFd;
}

/**
 * Makes a memfd and imports it. `name` shows in /proc/PID/maps.
 * @throws VkmemError DEVICE_OUT_OF_MEMORY, HUGE_PAGES_UNAVAILABLE and others of the driver; nothing is kept then.
 */
export async function allocateMappable(
  device: NativeDevice,
  plan: HostPlan,
  name: string,
): Promise<MappableMemory> {
  const { publishable, hints } = plan;
  const memfd = await createMemfd(name, plan.size, {
    sealed: !publishable,
    ...(hints && {
      hugePageBytes: hints.hugePage,
      populated: hints.prefault,
      reopenable: hints.reopenable,
    }),
  });
  try {
    return { memory: await importMemfd(device, memfd, plan), memfd };
  } catch (error) {
    memfd.close();
    throw error;
  }
}

/**
 * Imports a memfd that already exists with what is in it. The memfd is borrowed.
 * @param before its detached memory: one that was sealed against writing cannot be mapped for the device again, so the
 *   mapping of before is imported.
 * @throws VkmemError INVALID_SIZE when the file is not of the plan's size, or as the driver fails.
 */
export async function importMemfd(
  device: NativeDevice,
  memfd: OwnedFd,
  { size, memoryTypeIndex, handleTypes }: HostPlan,
  before?: NativeMemory,
): Promise<NativeMemory> {
  const found = sizeOf(memfd);
  if (found !== size) {
    throw new VkmemError('INVALID_SIZE', `The memfd has ${found} bytes, the memory ${size}.`);
  }
  return native(device.importHost(memfd.fd, size, memoryTypeIndex, handleTypes, before));
}

/** A new open file description of the memfd, for one grant. The receiver owns its fd. */
export function exportMappable(memfd: OwnedFd, access: AccessName, size: bigint): ExportedHandle {
  return {
    kind: 'MAPPABLE',
    fd: reopenMemfd(memfd, access, 'grant:MAPPABLE'),
    remoteAddress: 0n,
    mapOffset: 0n,
    mapSize: size,
    fileSize: size,
    handleType: 0,
    dmaBufSync: false,
  };
}

/** Whether a memfd and the device see one another's writes. @throws VkmemError DEVICE_LOST. */
export async function probeMemfd(subject: ProbeSubject): Promise<KindReport> {
  const { device, info, size } = subject;
  const refusal = refuseForBuffers(info, HandleType.HOST_ALLOCATION);
  if (refusal !== undefined) return refused(refusal);
  if ((subject.dedicatedOnly & HandleType.HOST_ALLOCATION) !== 0) {
    // VUID-VkMemoryAllocateInfo-pNext-02806.
    const reason = 'the driver wants imported host memory dedicated (DEDICATED_ONLY), which Vulkan forbids.';
    return unsupported(reason, 'export');
  }
  if (subject.types.memfd === undefined) {
    return unsupported('no host-visible, coherent memory type can be imported from a mapped memfd.', 'type');
  }
  await using first = await HostSample.make(subject, 0);
  await using second = await HostSample.make(subject, 0);

  await native(device.fill(first.memory, 0n, size, 0x5eed0001));
  if (!(await first.holds(0x5eed0001))) {
    return unsupported('a mapping of the memfd did not show a device fill.');
  }
  words(first.bytes).forEach((_, index, all) => {
    all[index] = index ^ 0x5eed0002;
  });
  await native(device.copy(first.memory, 0n, second.memory, 0n, size));
  if (!equalWords(first.bytes, second.bytes)) {
    return unsupported('the device did not see what was written through a mapping of the memfd.');
  }
  return verified(
    `memfd+${Extension.MEMORY_HOST}`,
    `${size} bytes that a device fill wrote were read through a mapping, and a device copy read what was written there.`,
  );
}
