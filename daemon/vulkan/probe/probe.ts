/**
 * Verifies the capabilities of a device by moving bytes, each time that it is opened.
 *
 * The driver's reports are not relied on. Each kind is first looked up in the driver's external properties
 * (external-support.ts), then tried on 64 KiB: bytes that one side writes must be read by the other side. A
 * failed probe is not an error: the kind is UNSUPPORTED, with the failure as the reason. Only a lost device
 * ends probing. If the device has no memory left, the kind is SUPPORTED. The probes run one after another and
 * free everything that they allocate. Each kind has a file here: memfd.ts and dma-buf.ts for MAPPABLE,
 * dma-buf.ts, opaque-fd.ts, rdma-address.ts.
 */
import { type KindName, OwnedFd, VkmemError } from '@vkmemd/proto';
import {
  type Capabilities,
  type DriverCapabilities,
  type MappableWay,
  readDriverCapabilities,
  typeFor,
} from '../capabilities.js';
import { mayExportByCuda, probeCudaExport } from '../cuda-export.js';
import { native } from '../errors.js';
import { bitsOf, supportForBuffers } from '../external-support.js';
import { Extension, HandleType } from '../flags.js';
import { type KindReport, supported, unsupported } from '../kinds.js';
import type { DeviceInfo, NativeDevice } from '../native.js';
import type { PageMeasurement, PageMeasurementStore } from '../page-measurement.js';
import { probeDmaBuf, probeDmaBufCount, probeMappedDmaBuf } from './dma-buf.js';
import { probeMemfd } from './memfd.js';
import { probeOpaqueFd } from './opaque-fd.js';
import { measurePages } from './pages.js';
import { probeRdmaAddress } from './rdma-address.js';
import { HostSample, type ProbeSubject } from './sample.js';

/** Bytes of each memory that a probe allocates; more if the driver's unit is larger. */
const PROBE_BYTES = 65_536n;
/** A memfd is preferred: its seals and access modes are enforced by the kernel. */
const MAPPABLE_WAYS: readonly MappableWay[] = ['memfd', 'dma-buf'];

/**
 * Probes an open device. The result also contains the kinds that are UNSUPPORTED.
 * @param store What earlier starts measured.
 * @param known What this process has measured of the device, when it is opened again.
 * @throws VkmemError DEVICE_LOST.
 */
export async function probe(
  device: NativeDevice,
  info: DeviceInfo,
  store?: PageMeasurementStore,
  known?: PageMeasurement,
): Promise<Capabilities> {
  const began = performance.now();
  const driver = await readDriverCapabilities(device, info);
  const subject = subjectOf(device, info, driver);
  const byMemfd = await attempt(() => probeMemfd(subject));
  subject.memfdWorks = byMemfd.rung === 'VERIFIED';
  const byDmaBuf = await attempt(() => probeMappedDmaBuf(subject));
  const mappable = better(byMemfd, byDmaBuf);
  const ways = { memfd: byMemfd, 'dma-buf': byDmaBuf };
  const mappableBy = MAPPABLE_WAYS.filter((way) => ways[way].rung !== 'UNSUPPORTED');
  const opaqueFd = await attempt(() => probeOpaqueFd(subject));
  const byDriver = await attempt(() => probeDmaBuf(subject));
  const byCuda = await dmaBufByCuda(info, byDriver, opaqueFd);
  const dmaBufByCudaWorks = byCuda !== undefined && byCuda.rung !== 'UNSUPPORTED';
  const dmaBuf = dmaBufByCudaWorks ? byCuda : withReasonOf(byDriver, byCuda);
  const exportsDmaBufs = byDriver.rung !== 'UNSUPPORTED' || mappableBy.includes('dma-buf');
  const dmaBufCounted = exportsDmaBufs && (await probeDmaBufCount(subject));
  const kinds = new Map<KindName, KindReport>([
    ['MAPPABLE', mappable],
    ['OPAQUE_FD', opaqueFd],
    ['DMA_BUF', dmaBufCounted ? withCount(dmaBuf) : dmaBuf],
    ['RDMA_ADDRESS', await attempt(() => probeRdmaAddress(subject))],
  ]);
  const together = await attempt(() => probeTogether(subject, mappable, opaqueFd));
  const pages = known ?? (await measurePages(subject, store));
  const { opaqueFile } = subject;
  const milliseconds = performance.now() - began;
  const found = { kinds, together, mappableBy, opaqueFile, dmaBufCounted, pages, milliseconds };
  return { ...driver, ...found, dmaBufByCuda: dmaBufByCudaWorks };
}

/** The report on dma-bufs that CUDA makes; undefined where the driver makes them, or CUDA cannot use the device. */
async function dmaBufByCuda(
  info: DeviceInfo,
  byDriver: KindReport,
  opaqueFd: KindReport,
): Promise<KindReport | undefined> {
  const missing = byDriver.missing === 'extension' && opaqueFd.rung !== 'UNSUPPORTED';
  return missing && mayExportByCuda(info) ? attempt(probeCudaExport) : undefined;
}

/** An UNSUPPORTED report, with the reason of another way that does not work either. */
const withReasonOf = (report: KindReport, other: KindReport | undefined): KindReport =>
  other ? { ...report, reason: `${report.reason} By CUDA: ${other.reason}` } : report;

function subjectOf(device: NativeDevice, info: DeviceInfo, driver: DriverCapabilities): ProbeSubject {
  const { unit, hostBits, exportBits } = driver;
  const bits = (handleType: number): number => exportBits.get(handleType) ?? 0;
  const dmaBuf = bits(HandleType.DMA_BUF);
  return {
    device,
    info,
    driver,
    size: unit > PROBE_BYTES ? unit : PROBE_BYTES,
    dedicatedOnly: bitsOf(0xffffffff)
      .filter((bit) => supportForBuffers(info, bit).dedicatedOnly)
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

/** The report on DMA_BUF where the holders of dma-bufs are known. */
function withCount(report: KindReport): KindReport {
  if (report.rung === 'UNSUPPORTED') return report;
  return { ...report, reason: `${report.reason} The kernel counts its holders.` };
}

/** The report of the first way that works, with the reason of the other; if none works, both reasons. */
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
 * MAPPABLE and OPAQUE_FD on the same memory: writes of the device must be visible in imported host memory
 * that is also exportable, and the driver must export an opaque fd. The fd is not imported here. NVIDIA's
 * driver (580.159) exports an fd that CUDA can import; its import into Vulkan fails with
 * VK_ERROR_OUT_OF_DEVICE_MEMORY, and after that every exportable allocation on this device fails. So
 * SUPPORTED is the highest rung that the probe reports.
 */
async function probeTogether(
  subject: ProbeSubject,
  mappable: KindReport,
  opaqueFd: KindReport,
): Promise<KindReport> {
  if (mappable.rung === 'UNSUPPORTED') return unsupported('MAPPABLE is UNSUPPORTED.');
  if (opaqueFd.rung === 'UNSUPPORTED') return unsupported('OPAQUE_FD is UNSUPPORTED.');
  const base = subject.memfdWorks ? HandleType.HOST_ALLOCATION : HandleType.DMA_BUF;
  const { refusal } = supportForBuffers(subject.info, base | HandleType.OPAQUE_FD);
  if (refusal !== undefined) return unsupported(refusal.reason, refusal.missing);
  const via = `${mappable.via}+${Extension.MEMORY_FD}`;
  if (!subject.memfdWorks) return supported(via, 'the driver reports support; no bytes were moved.');
  await using sample = await HostSample.make(subject, HandleType.OPAQUE_FD);
  await native(subject.device.fill(sample.memory, 0n, subject.size, 0x5eed0004));
  if (!(await sample.holds(0x5eed0004))) {
    return unsupported('a device fill of exportable memory was not visible through a mapping of the memfd.');
  }
  new OwnedFd(await native(sample.memory.exportFd(HandleType.OPAQUE_FD)), 'probe:together').close();
  return supported(via, 'the driver exports it; reads of an importer were not verified.');
}
