/**
 * The probe of OPAQUE_FD, and of other kinds whose fd can be imported again: it writes through the exported
 * memory and reads through an import of its fd.
 */
import { AsyncDisposableStack, OwnedFd } from '@vkmemd/proto';
import { native } from '../errors.js';
import { refuseForBuffers } from '../external-support.js';
import { Extension, HandleType } from '../flags.js';
import { handleFile } from '../foreign-handle.js';
import { type KindReport, refused, supported, unsupported, verified } from '../kinds.js';
import type { NativeMemory } from '../native.js';
import { dedicationOf, free, type ProbeSubject, readable, undefinedIfFull } from './sample.js';

/** Whether OPAQUE_FD works. @throws VkmemError DEVICE_LOST, or another code if the driver fails. */
export function probeOpaqueFd(subject: ProbeSubject): Promise<KindReport> {
  const type = subject.types.opaqueFd;
  return probeReimport(subject, HandleType.OPAQUE_FD, Extension.MEMORY_FD, type, async (own) => own);
}

/**
 * Whether bytes that are written through an exported memory can be read through an import of its fd.
 * @param type The exporter's memory type index; undefined if no type is suitable.
 * @param typeOf Returns the importer's memory type index, from the exporter's and the fd (borrowed).
 * @throws VkmemError DEVICE_LOST, or another code if the driver fails.
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
  if (type === undefined) return unsupported('no memory type supports buffers of the handle type.', 'type');
  const dedicated = dedicationOf(subject, handleType);
  const exported = await native(device.allocate(size, type, handleType, dedicated)).catch(undefinedIfFull);
  if (exported === undefined) return supported(extension, 'the device had no memory left for the probe.');
  await using held = new AsyncDisposableStack();
  held.adopt(exported, free);
  const imported = held.adopt(await reimport(exported), free);
  await native(device.fill(exported, 0n, size, 0x5eed0003));
  const sample = held.use(await readable(subject));
  if (sample === undefined) {
    return supported(extension, 'the import succeeded; no readable memory is available to verify the bytes.');
  }
  await native(device.copy(imported, 0n, sample.memory, 0n, size));
  return (await sample.holds(0x5eed0003))
    ? verified(extension, `${size} bytes that a device fill wrote were read through an import of the fd.`)
    : unsupported('a device fill of the exported memory was not visible through an import of the fd.');

  async function reimport(memory: NativeMemory): Promise<NativeMemory> {
    const purpose = handleType === HandleType.OPAQUE_FD ? 'probe:OPAQUE_FD' : 'probe:DMA_BUF';
    using fd = new OwnedFd(await native(memory.exportFd(handleType)), purpose);
    if (handleType === HandleType.OPAQUE_FD) subject.opaqueFile = handleFile(fd);
    const importedType = await typeOf(type ?? 0, fd);
    return native(device.importFd(fd.fd, handleType, size, importedType, dedicated));
  }
}
