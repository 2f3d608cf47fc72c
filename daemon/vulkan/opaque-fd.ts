/**
 * OPAQUE_FD: a handle for importers on the same device and driver (Vulkan, CUDA, HIP, Level Zero).
 *
 * Memory is allocated with the handle type, zeroed by the device before anybody can see it, and exported anew for
 * each grant. The fd is the driver's: it is never mapped and never called mappable. On lavapipe it is a memfd
 * with a private header, which a client that writes to it would destroy. Importers repeat the exact size
 * and memory type index. Access cannot be narrowed: 'ro' is advisory.
 *
 * The probe writes through one handle and reads through an import of the other.
 */
import { OwnedFd } from '@vkmemd/proto';
import { refuseForBuffers } from './claims.js';
import { native } from './errors.js';
import { Extension, HandleType } from './flags.js';
import { handleFile } from './foreign-handle.js';
import { type KindReport, refused, supported, unsupported, verified } from './kinds.js';
import type { NativeMemory } from './native.js';
import { dedicationOf, type ProbeSubject, readable, whenFull } from './probe/sample.js';

/** Whether OPAQUE_FD works. @throws VkmemError DEVICE_LOST, or as the driver fails. */
export function probeOpaqueFd(subject: ProbeSubject): Promise<KindReport> {
  const type = subject.types.opaqueFd;
  return probeReimport(subject, HandleType.OPAQUE_FD, Extension.MEMORY_FD, type, async (own) => own);
}

/**
 * What is written through an exported memory must be there through an import of its fd.
 * @param type the exporter's memory type index, or undefined where there is none that serves.
 * @param typeOf the importer's, by the exporter's and the fd.
 */
export async function probeReimport(
  subject: ProbeSubject,
  handleType: number,
  extension: string,
  type: number | undefined,
  typeOf: (own: number, fd: OwnedFd) => Promise<number>,
): Promise<KindReport> {
  const { device, info, size } = subject;
  const refusal = refuseForBuffers(info, handleType);
  if (refusal !== undefined) return refused(refusal);
  if (type === undefined) return unsupported('no memory type can hold a buffer of the handle type.', 'type');
  const dedicated = dedicationOf(subject, handleType);
  const memory = await native(device.allocate(size, type, handleType, dedicated)).catch(whenFull);
  if (memory === undefined) return supported(extension, 'the device had no memory left for the probe.');
  const handle = handleType === HandleType.OPAQUE_FD ? 'probe:OPAQUE_FD' : 'probe:DMA_BUF';
  try {
    const fd = new OwnedFd(await native(memory.exportFd(handleType)), handle);
    if (handleType === HandleType.OPAQUE_FD) subject.opaqueFile = handleFile(fd);
    let imported: NativeMemory;
    try {
      const importedType = await typeOf(type, fd);
      imported = await native(device.importFd(fd.fd, handleType, size, importedType, dedicated));
    } finally {
      fd.close();
    }
    try {
      await native(device.fill(memory, 0n, size, 0x5eed0003));
      const sample = await readable(subject);
      if (sample === undefined) {
        return supported(extension, 'imported again, but there is no memory to look at the bytes.');
      }
      await using seen = sample;
      await native(device.copy(imported, 0n, seen.memory, 0n, size));
      return (await seen.holds(0x5eed0003))
        ? verified(extension, `${size} bytes that a device fill wrote were read through an import of the fd.`)
        : unsupported('what was written through one handle was not there through another.');
    } finally {
      await native(imported.free());
    }
  } finally {
    await native(memory.free());
  }
}
