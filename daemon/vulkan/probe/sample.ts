/**
 * Small memories that a probe makes, and what it can see of them.
 *
 * A HostSample is a memfd imported by the device, seen as a client would see it: through a mapping of the memfd
 * reopened, not through the mapping that the driver imported. A VisibleSample is memory of the driver's own, read by
 * vkMapMemory, for devices without host import. Both are disposed of by `await using`.
 */
import { mapFd, type OwnedFd, reopenMemfd, VkmemError } from '@vkmemd/proto';
import { type Abilities, typeFor } from '../abilities.js';
import { native } from '../errors.js';
import type { HandleFile } from '../foreign-handle.js';
import { allocateMappable } from '../mappable.js';
import type { DeviceInfo, NativeDevice, NativeMemory, NativeResource } from '../native.js';
import { sized, TRANSFER } from '../resource.js';

/** One device under probe. */
export interface ProbeSubject {
  readonly device: NativeDevice;
  readonly info: DeviceInfo;
  readonly abilities: Abilities;
  /** Bytes of each memory that a probe makes. */
  readonly size: bigint;
  /** The handle types, as bits, whose memory the driver wants dedicated to a buffer (DEDICATED_ONLY). */
  readonly dedicatedOnly: number;
  /** Memory types of the probes' memories; undefined where there is none that serves. */
  readonly types: {
    readonly opaqueFd: number | undefined;
    readonly dmaBuf: number | undefined;
    readonly mappedDmaBuf: number | undefined;
    readonly memfd: number | undefined;
    readonly rdma: number | undefined;
  };
  /** Set once device and memfd were seen to share their bytes: samples are memfds from then on. */
  memfdWorks: boolean;
  /** Set once an opaque fd was exported: what kind of file it is. */
  opaqueFile: HandleFile | undefined;
}

/** Memory that the device can copy into and this process can read. */
export interface Sample extends AsyncDisposable {
  readonly memory: NativeMemory;
  /** Whether every 32-bit word is `pattern`. */
  holds(pattern: number): Promise<boolean>;
}

/** The 32-bit words of a buffer, in place. */
export function words(bytes: ArrayBuffer): Uint32Array {
  return new Uint32Array(bytes);
}

export function equalWords(a: ArrayBuffer, b: ArrayBuffer): boolean {
  return Buffer.from(a).equals(Buffer.from(b));
}

/** What memory of a handle type must be dedicated to, where the driver wants it to be. */
export function dedicationOf(subject: ProbeSubject, handleTypes: number): NativeResource | undefined {
  return (subject.dedicatedOnly & handleTypes) === 0 ? undefined : sized(TRANSFER, subject.size);
}

/** A device that is full when the daemon starts still does what its driver says. */
export function whenFull(error: unknown): undefined {
  if (!(error instanceof VkmemError) || error.code !== 'DEVICE_OUT_OF_MEMORY') throw error;
}

/** A memfd imported by the device, and a mapping of it as a client's. */
export class HostSample implements Sample {
  readonly memory: NativeMemory;
  readonly #memfd: OwnedFd;
  readonly #mapping: ReturnType<typeof mapFd>;

  private constructor(memory: NativeMemory, memfd: OwnedFd, mapping: ReturnType<typeof mapFd>) {
    this.memory = memory;
    this.#memfd = memfd;
    this.#mapping = mapping;
  }

  /**
   * @param handleTypes that it is made exportable as, beside.
   * @throws VkmemError as the kernel or the driver fails; nothing is kept then.
   */
  static async make(subject: ProbeSubject, handleTypes: number): Promise<HostSample> {
    const { device, size } = subject;
    const memoryTypeIndex = subject.types.memfd ?? 0;
    const plan = { size, memoryTypeIndex, handleTypes };
    const { memory, memfd } = await allocateMappable(device, plan, 'vkmemd-probe');
    try {
      const client = reopenMemfd(memfd, 'rw', 'probe:MAPPABLE');
      try {
        const mapping = mapFd(client, { offset: 0n, length: Number(size), access: 'rw' });
        return new HostSample(memory, memfd, mapping);
      } finally {
        client.close();
      }
    } catch (error) {
      memfd.close();
      await native(memory.free());
      throw error;
    }
  }

  get bytes(): ArrayBuffer {
    return this.#mapping.buffer;
  }

  async holds(pattern: number): Promise<boolean> {
    return words(this.bytes).every((word) => word === pattern);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#mapping.unmap();
    this.#memfd.close();
    await native(this.memory.free());
  }
}

/** Host-visible, coherent memory of the driver's own. */
class VisibleSample implements Sample {
  readonly memory: NativeMemory;

  constructor(memory: NativeMemory) {
    this.memory = memory;
  }

  async holds(pattern: number): Promise<boolean> {
    return words(await native(this.memory.read(0n, this.memory.size))).every((word) => word === pattern);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await native(this.memory.free());
  }
}

/** Memory that the device can copy into and this process can read; undefined when there is none. */
export async function readable(subject: ProbeSubject): Promise<Sample | undefined> {
  const { device, info, size, abilities, memfdWorks } = subject;
  if (memfdWorks) return HostSample.make(subject, 0);
  const index = typeFor(info, ['MAPPABLE'], abilities.transferBits);
  return index === undefined ? undefined : new VisibleSample(await native(device.allocate(size, index, 0)));
}
