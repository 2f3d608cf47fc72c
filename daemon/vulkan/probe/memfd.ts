/**
 * The probe of MAPPABLE memory that is a memfd: whether writes of the device are visible through a mapping,
 * and vice versa.
 */
import { native } from '../errors.js';
import { refuseForBuffers } from '../external-support.js';
import { Extension, HandleType } from '../flags.js';
import { type KindReport, refused, unsupported, verified } from '../kinds.js';
import { equalWords, HostSample, type ProbeSubject, words } from './sample.js';

/** @throws VkmemError DEVICE_LOST, or another code if the kernel or the driver fails. */
export async function probeMemfd(subject: ProbeSubject): Promise<KindReport> {
  const { device, info, size } = subject;
  const refusal = refuseForBuffers(info, HandleType.HOST_ALLOCATION);
  if (refusal !== undefined) return refused(refusal);
  if ((subject.dedicatedOnly & HandleType.HOST_ALLOCATION) !== 0) {
    // VUID-VkMemoryAllocateInfo-pNext-02806.
    const reason =
      'the driver requires imported host memory to be dedicated (DEDICATED_ONLY), which Vulkan forbids.';
    return unsupported(reason, 'export');
  }
  const { memfdRefusal } = subject.driver;
  if (memfdRefusal !== undefined) return unsupported(memfdRefusal, 'works');
  if (subject.types.memfd === undefined) {
    return unsupported('no host-visible, coherent memory type can be imported from a mapped memfd.', 'type');
  }
  await using first = await HostSample.make(subject, 0);
  await using second = await HostSample.make(subject, 0);

  await native(device.fill(first.memory, 0n, size, 0x5eed0001));
  if (!(await first.holds(0x5eed0001))) {
    return unsupported('a device fill was not visible through a mapping of the memfd.');
  }
  words(first.bytes).forEach((_, index, all) => {
    all[index] = index ^ 0x5eed0002;
  });
  await native(device.copy(first.memory, 0n, second.memory, 0n, size));
  if (!equalWords(first.bytes, second.bytes)) {
    return unsupported('a write through a mapping of the memfd was not visible to the device.');
  }
  return verified(
    `memfd+${Extension.MEMORY_HOST}`,
    `${size} bytes that a device fill wrote were read through a mapping, and a device copy read bytes written there.`,
  );
}
