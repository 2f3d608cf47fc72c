/**
 * What a device can really do, found out at start by moving bytes.
 *
 * A driver's list of extensions is a promise; this checks it. Each kind is asked about first (claims.ts), then tried
 * on 64 KiB: what one side writes, the other side must read. A failure here is an answer, not an error: the kind is
 * UNSUPPORTED, and the reason says what happened. Only a lost device and one that is full are no answer. The probes
 * run one after another and free all that they made. What each does stands with its kind (mappable.ts, opaque-fd.ts,
 * dma-buf.ts, rdma-address.ts).
 */
import { type KindName, OwnedFd, VkmemError } from '@vkmemd/proto';
import { type Abilities, readAbilities, typeFor } from '../abilities.js';
import { bitsOf, claimForBuffers } from '../claims.js';
import { probeDmaBuf, probeMappedDmaBuf } from '../dma-buf.js';
import { native } from '../errors.js';
import { Extension, HandleType } from '../flags.js';
import type { HandleFile } from '../foreign-handle.js';
import { type KindReport, supported, unsupported } from '../kinds.js';
import { probeMemfd } from '../mappable.js';
import type { DeviceInfo, NativeDevice } from '../native.js';
import { probeOpaqueFd } from '../opaque-fd.js';
import { probeRdmaAddress } from '../rdma-address.js';
import { HostSample, type ProbeSubject } from './sample.js';

/** Bytes of each memory that a probe makes, or more where the driver's unit is larger. */
const PROBE_BYTES = 65_536n;

/** What the probes found. */
export interface ProbeResult extends Abilities {
  readonly kinds: ReadonlyMap<KindName, KindReport>;
  /** MAPPABLE and OPAQUE_FD on the same memory. */
  readonly together: KindReport;
  /** What MAPPABLE memory is; undefined where there is none. */
  readonly mappableBy: 'memfd' | 'dma-buf' | undefined;
  /** What kind of file this device's opaque fds are; undefined where it has none. */
  readonly opaqueFile: HandleFile | undefined;
  /** How long probing took, in milliseconds. */
  readonly milliseconds: number;
}

/**
 * Probes an opened device; what the device cannot do is in the result.
 * @throws VkmemError DEVICE_LOST.
 */
export async function probe(device: NativeDevice, info: DeviceInfo): Promise<ProbeResult> {
  const began = performance.now();
  const abilities = await readAbilities(device, info);
  const subject = subjectOf(device, info, abilities);
  const byMemfd = await attempt(() => probeMemfd(subject));
  subject.memfdWorks = byMemfd.rung === 'VERIFIED';
  const byDmaBuf = await attempt(() => probeMappedDmaBuf(subject));
  const mappable = better(byMemfd, byDmaBuf);
  const mappableBy = mappable.rung === 'UNSUPPORTED' ? undefined : subject.memfdWorks ? 'memfd' : 'dma-buf';
  const opaqueFd = await attempt(() => probeOpaqueFd(subject));
  const kinds = new Map<KindName, KindReport>([
    ['MAPPABLE', mappable],
    ['OPAQUE_FD', opaqueFd],
    ['DMA_BUF', await attempt(() => probeDmaBuf(subject))],
    ['RDMA_ADDRESS', await attempt(() => probeRdmaAddress(subject))],
  ]);
  const together = await attempt(() => probeTogether(subject, mappable, opaqueFd));
  const { opaqueFile } = subject;
  return { ...abilities, kinds, together, mappableBy, opaqueFile, milliseconds: performance.now() - began };
}

function subjectOf(device: NativeDevice, info: DeviceInfo, abilities: Abilities): ProbeSubject {
  const { unit, hostBits, exportBits } = abilities;
  const bits = (handleType: number): number => exportBits.get(handleType) ?? 0;
  const dmaBuf = bits(HandleType.DMA_BUF);
  return {
    device,
    info,
    abilities,
    size: unit > PROBE_BYTES ? unit : PROBE_BYTES,
    dedicatedOnly: bitsOf(0xffffffff)
      .filter((bit) => claimForBuffers(info, bit).dedicatedOnly)
      .reduce((all, bit) => all | bit, 0),
    types: {
      opaqueFd: typeFor(info, ['OPAQUE_FD'], bits(HandleType.OPAQUE_FD)),
      dmaBuf: typeFor(info, ['DMA_BUF'], dmaBuf),
      mappedDmaBuf: typeFor(info, ['MAPPABLE'], dmaBuf),
      memfd: typeFor(info, ['MAPPABLE'], hostBits & bits(HandleType.HOST_ALLOCATION)),
      rdma: typeFor(info, ['RDMA_ADDRESS'], bits(HandleType.RDMA_ADDRESS)),
    },
    memfdWorks: false,
    opaqueFile: undefined,
  };
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

/** The first of the two ways that works, or both reasons. What is said of the other goes with it. */
function better(byMemfd: KindReport, byDmaBuf: KindReport): KindReport {
  if (byMemfd.rung !== 'UNSUPPORTED') {
    const reason = byDmaBuf.missing === 'extension' ? '' : ` By dma-buf: ${byDmaBuf.reason}`;
    return { ...byMemfd, reason: `${byMemfd.reason}${reason}` };
  }
  if (byDmaBuf.rung !== 'UNSUPPORTED') {
    return { ...byDmaBuf, reason: `${byDmaBuf.reason} By memfd: ${byMemfd.reason}` };
  }
  return unsupported(
    `by memfd: ${byMemfd.reason} By dma-buf: ${byDmaBuf.reason}`,
    byMemfd.missing || 'works',
  );
}

/**
 * Imported host memory must show the device's writes and give an opaque fd. The fd is not imported here: NVIDIA's
 * driver (580.159) gives one that CUDA imports, refuses it to Vulkan with VK_ERROR_OUT_OF_DEVICE_MEMORY, and after
 * that refuses this device every exportable allocation. So the most that is known at start is SUPPORTED.
 */
async function probeTogether(
  subject: ProbeSubject,
  mappable: KindReport,
  opaqueFd: KindReport,
): Promise<KindReport> {
  if (mappable.rung === 'UNSUPPORTED') return unsupported('MAPPABLE does not work by itself.');
  if (opaqueFd.rung === 'UNSUPPORTED') return unsupported('OPAQUE_FD does not work by itself.');
  const base = subject.memfdWorks ? HandleType.HOST_ALLOCATION : HandleType.DMA_BUF;
  const { refusal } = claimForBuffers(subject.info, base | HandleType.OPAQUE_FD);
  if (refusal !== undefined) return unsupported(refusal.reason, refusal.missing);
  const via = `${mappable.via}+${Extension.MEMORY_FD}`;
  if (!subject.memfdWorks) return supported(via, 'the driver says so; nothing was moved.');
  await using sample = await HostSample.make(subject, HandleType.OPAQUE_FD);
  await native(subject.device.fill(sample.memory, 0n, subject.size, 0x5eed0004));
  if (!(await sample.holds(0x5eed0004))) {
    return unsupported('a mapping of the memfd did not show a device fill once it was exportable too.');
  }
  const fd = new OwnedFd(await native(sample.memory.exportFd(HandleType.OPAQUE_FD)), 'probe:together');
  fd.close();
  return supported(via, 'the driver exports it; what an importer sees is not looked at.');
}
