/**
 * What a device can really do, found out at start by moving bytes.
 *
 * A driver's list of extensions is a promise; this checks it. Each kind is asked about first (extension, external
 * buffer properties), then tried on 64 KiB: what one side writes, the other side must read. A failure here is
 * an answer, not an error: the kind is UNSUPPORTED, and the reason says what happened. Only a lost device and
 * one that is full are no answer. The probes run one after another and free all that they made.
 */
import { type KindName, OwnedFd, VkmemError } from '@vkmemd/proto';
import { readNeeds, refuseHost, refuseOpaque, refuseTogether } from './claims.js';
import { native } from './errors.js';
import { Extension, HandleType } from './flags.js';
import { type KindReport, supported, unsupported, verified } from './kinds.js';
import { chooseType, forReading, type MemoryNeeds, planMemory } from './memory-types.js';
import type { DeviceInfo, NativeDevice } from './native.js';
import { equalWords, HostSample, type Sample, VisibleSample, words } from './probe-sample.js';

/** Bytes of each memory that a probe makes. */
const PROBE_BYTES = 65_536n;
const VIA_MAPPABLE = `memfd+${Extension.MEMORY_HOST}`;
const VIA_TOGETHER = `${VIA_MAPPABLE}+${Extension.MEMORY_FD}`;

/** What the probes found. */
export interface ProbeResult {
  readonly kinds: ReadonlyMap<KindName, KindReport>;
  /** MAPPABLE and OPAQUE_FD on the same memory. */
  readonly together: KindReport;
  readonly needs: MemoryNeeds;
  /** How long probing took, in milliseconds. */
  readonly milliseconds: number;
}

/** One device under probe. */
interface Subject {
  readonly device: NativeDevice;
  readonly info: DeviceInfo;
  readonly size: bigint;
}

/**
 * Probes an opened device; what the device cannot do is in the result.
 * @throws VkmemError DEVICE_LOST.
 */
export async function probe(device: NativeDevice, info: DeviceInfo): Promise<ProbeResult> {
  const began = performance.now();
  const needs = await readNeeds(device, info);
  const subject = { device, info, size: needs.unit > PROBE_BYTES ? needs.unit : PROBE_BYTES };
  const mappable = await attempt(() => probeMappable(subject, needs));
  const opaqueFd = await attempt(() => probeOpaqueFd(subject, needs, mappable));
  const together = await attempt(() => probeTogether(subject, needs, mappable, opaqueFd));
  const kinds = new Map<KindName, KindReport>([
    ['MAPPABLE', mappable],
    ['OPAQUE_FD', opaqueFd],
    ['DMA_BUF', unsupported(notServed(info, Extension.DMA_BUF))],
    ['RDMA_ADDRESS', unsupported(notServed(info, Extension.RDMA))],
  ]);
  return { kinds, together, needs, milliseconds: performance.now() - began };
}

async function attempt(run: () => Promise<KindReport>): Promise<KindReport> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof VkmemError)) return unsupported(`the probe failed: ${String(error)}`);
    if (error.code === 'DEVICE_LOST') throw error;
    return unsupported(`the probe failed: ${error.reason}`);
  }
}

function notServed(info: DeviceInfo, extension: string): string {
  const listed = info.extensions.includes(extension) ? 'lists' : 'does not list';
  return `this version of vkmemd does not serve it; the driver ${listed} ${extension}.`;
}

/** A memfd and the device must see one another's writes. */
async function probeMappable({ device, info, size }: Subject, needs: MemoryNeeds): Promise<KindReport> {
  const refused = refuseHost(info);
  if (refused !== undefined) return unsupported(refused);
  const plan = planMemory(['MAPPABLE'], info.memoryTypes, needs);
  await using first = await HostSample.make(device, size, plan);
  await using second = await HostSample.make(device, size, plan);

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
  return verified(VIA_MAPPABLE);
}

/** What is written through an exported memory must be there through an import of its fd. */
async function probeOpaqueFd(
  subject: Subject,
  needs: MemoryNeeds,
  mappable: KindReport,
): Promise<KindReport> {
  const { device, info, size } = subject;
  const refused = refuseOpaque(info);
  if (refused !== undefined) return unsupported(refused);
  const plan = planMemory(['OPAQUE_FD'], info.memoryTypes, needs);
  const memory = await native(device.allocate(size, plan.memoryTypeIndex, plan.handleTypes)).catch(whenFull);
  if (memory === undefined) {
    return supported(Extension.MEMORY_FD, 'the device had no memory left for the probe.');
  }
  try {
    const fd = new OwnedFd(await native(memory.exportFd(HandleType.OPAQUE_FD)), 'probe:OPAQUE_FD');
    const imported = await native(device.importOpaque(fd.fd, size, plan.memoryTypeIndex)).finally(() =>
      fd.close(),
    );
    try {
      await native(device.fill(memory, 0n, size, 0x5eed0003));
      const sample = await readable(subject, needs, mappable);
      if (sample === undefined) {
        return supported(Extension.MEMORY_FD, 'imported again, but there is no memory to look at the bytes.');
      }
      await using seen = sample;
      await native(device.copy(imported, 0n, seen.memory, 0n, size));
      return (await seen.holds(0x5eed0003))
        ? verified(Extension.MEMORY_FD)
        : unsupported('what was written through one handle was not there through another.');
    } finally {
      await native(imported.free());
    }
  } finally {
    await native(memory.free());
  }
}

/** A device that is full when the daemon starts still does what its driver says. */
function whenFull(error: unknown): undefined {
  if (!(error instanceof VkmemError) || error.code !== 'DEVICE_OUT_OF_MEMORY') throw error;
}

/** Memory that the device can copy into and this process can read; undefined when there is none. */
async function readable(
  { device, info, size }: Subject,
  needs: MemoryNeeds,
  mappable: KindReport,
): Promise<Sample | undefined> {
  if (mappable.rung === 'VERIFIED') {
    return HostSample.make(device, size, planMemory(['MAPPABLE'], info.memoryTypes, needs));
  }
  const { memoryTypeBits } = await native(device.bufferRequirements(0));
  const index = chooseType(info.memoryTypes, memoryTypeBits, forReading);
  return index < 0 ? undefined : VisibleSample.make(device, size, index);
}

/**
 * Imported host memory must show the device's writes and give an opaque fd. The fd is not imported here: NVIDIA's
 * driver (580.159) gives one that CUDA imports, refuses it to Vulkan with VK_ERROR_OUT_OF_DEVICE_MEMORY, and after
 * that refuses this device every exportable allocation. So the most that is known at start is SUPPORTED.
 */
async function probeTogether(
  { device, info, size }: Subject,
  needs: MemoryNeeds,
  mappable: KindReport,
  opaqueFd: KindReport,
): Promise<KindReport> {
  if (mappable.rung === 'UNSUPPORTED') return unsupported('MAPPABLE does not work by itself.');
  if (opaqueFd.rung === 'UNSUPPORTED') return unsupported('OPAQUE_FD does not work by itself.');
  const refused = refuseTogether(info);
  if (refused !== undefined) return unsupported(refused);
  const plan = planMemory(['MAPPABLE', 'OPAQUE_FD'], info.memoryTypes, needs);
  await using sample = await HostSample.make(device, size, plan);
  await native(device.fill(sample.memory, 0n, size, 0x5eed0004));
  if (!(await sample.holds(0x5eed0004))) {
    return unsupported('a mapping of the memfd did not show a device fill once it was exportable too.');
  }
  const fd = new OwnedFd(await native(sample.memory.exportFd(HandleType.OPAQUE_FD)), 'probe:together');
  fd.close();
  return supported(VIA_TOGETHER, 'the driver exports it; what an importer sees is not looked at.');
}
