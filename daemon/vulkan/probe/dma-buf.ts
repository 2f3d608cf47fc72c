/**
 * The probes of DMA_BUF, of MAPPABLE memory that is a dma-buf, and of the kernel's count of its holders.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AsyncDisposableStack, CpuAccess, DisposableStack, mapFd, OwnedFd, VkmemError } from '@vkmemd/proto';
import { dmaBufReferences } from '../dma-buf.js';
import { native } from '../errors.js';
import { refuseForBuffers } from '../external-support.js';
import { Extension, HandleType } from '../flags.js';
import { type KindReport, refused, supported, unsupported, verified } from '../kinds.js';
import { probeReimport } from './opaque-fd.js';
import { dedicationOf, free, type ProbeSubject, readable, undefinedIfFull, words } from './sample.js';

/** A driver may release its references a moment after vkFreeMemory. */
const RELEASE_WAITS_MS = [0, 1, 10, 50, 200];

/** Whether DMA_BUF works. @throws VkmemError DEVICE_LOST, or another code if the driver fails. */
export function probeDmaBuf(subject: ProbeSubject): Promise<KindReport> {
  const type = subject.types.dmaBuf;
  return probeReimport(subject, HandleType.DMA_BUF, Extension.DMA_BUF, type, async (own, fd) => {
    const bits = await native(subject.device.fdTypeBits(fd.fd, HandleType.DMA_BUF));
    // The exporter's own type if the driver allows it, so that both memories have the same properties.
    return ((bits >>> own) & 1) === 1 ? own : 31 - Math.clz32(bits);
  });
}

/**
 * Whether a process that has only the fd can map a dma-buf of host-visible memory.
 * @throws VkmemError DEVICE_LOST, NOT_MAPPABLE if the kernel refuses, or another code if the driver fails.
 */
export async function probeMappedDmaBuf(subject: ProbeSubject): Promise<KindReport> {
  const { device, info, size } = subject;
  const refusal = refuseForBuffers(info, HandleType.DMA_BUF);
  if (refusal !== undefined) return refused(refusal);
  const type = subject.types.mappedDmaBuf;
  if (type === undefined) return unsupported('no memory type is host-visible and coherent.', 'type');
  const via = `${Extension.DMA_BUF}+mmap`;
  const dedicated = dedicationOf(subject, HandleType.DMA_BUF);
  const memory = await native(device.allocate(size, type, HandleType.DMA_BUF, dedicated)).catch(
    undefinedIfFull,
  );
  if (memory === undefined) return unsupported('the device had no memory left for the probe.');
  await using held = new AsyncDisposableStack();
  held.adopt(memory, free);
  const fd = held.use(new OwnedFd(await native(memory.exportFd(HandleType.DMA_BUF)), 'probe:DMA_BUF'));
  const mapping = held.use(mapFd(fd, { offset: 0n, length: Number(size), access: 'rw' }));
  await native(device.fill(memory, 0n, size, 0x5eed0005));
  const access = new CpuAccess(fd, 'rw');
  const seen = words(mapping.buffer).every((word) => word === 0x5eed0005);
  words(mapping.buffer).fill(0x5eed0006);
  access.end();
  if (!seen) return unsupported('a device fill was not visible through a mapping of the dma-buf.');
  const sample = held.use(await readable(subject));
  if (sample === undefined) {
    return supported(
      via,
      'it can be mapped; no readable memory is available to verify what the device reads.',
    );
  }
  await native(device.copy(memory, 0n, sample.memory, 0n, size));
  return (await sample.holds(0x5eed0006))
    ? verified(
        via,
        `${size} bytes that a device fill wrote were read through a mapping of the dma-buf, and a device copy read bytes written there.`,
      )
    : unsupported('a write through a mapping of the dma-buf was not visible to the device.');
}

/**
 * Whether the kernel counts all holders of a dma-buf of freed memory: two exports of one memory are one file,
 * and once the memory is freed, that file has no other references than these two. If the driver made two
 * dma-bufs, holders would be missed; if it kept a reference, allocations would drain forever.
 * @throws VkmemError DEVICE_LOST.
 */
export async function probeDmaBufCount(subject: ProbeSubject): Promise<boolean> {
  const { dmaBuf, mappedDmaBuf } = subject.types;
  try {
    for (const type of new Set([dmaBuf, mappedDmaBuf])) {
      if (type !== undefined && !(await isCounted(subject, type))) return false;
    }
    return true;
  } catch (failure) {
    if (failure instanceof VkmemError && failure.code === 'DEVICE_LOST') throw failure;
    return false;
  }
}

async function isCounted(subject: ProbeSubject, type: number): Promise<boolean> {
  const { device, size } = subject;
  using fds = new DisposableStack();
  const exports: OwnedFd[] = [];
  {
    await using held = new AsyncDisposableStack();
    const dedicated = dedicationOf(subject, HandleType.DMA_BUF);
    const memory = held.adopt(await native(device.allocate(size, type, HandleType.DMA_BUF, dedicated)), free);
    while (exports.length < 2) {
      const fd = fds.use(new OwnedFd(await native(memory.exportFd(HandleType.DMA_BUF)), 'probe:DMA_BUF'));
      if (dmaBufReferences(fd) === undefined) return false;
      exports.push(fd);
    }
  }
  for (const wait of RELEASE_WAITS_MS) {
    await sleep(wait);
    if (exports.every((fd) => dmaBufReferences(fd) === exports.length)) return true;
  }
  return false;
}
