/**
 * Small memories that probes allocate, and how a probe reads their bytes.
 *
 * A HostSample is a memfd imported by the device. It is read as a client would read it: through a mapping of
 * the reopened memfd, not through the mapping that the driver imported. A VisibleSample is memory that the
 * driver allocated, read with vkMapMemory, for devices without host import. Both are freed by `await using`.
 */
import { AsyncDisposableStack, type Mapping, mapFd, reopenMemfd, VkmemError } from '@vkmemd/proto';
import { type DriverCapabilities, typeFor } from '../capabilities.js';
import { native } from '../errors.js';
import type { HandleFile } from '../foreign-handle.js';
import { allocateMappable } from '../mappable.js';
import type { DeviceInfo, NativeDevice, NativeMemory, NativeResource } from '../native.js';
import { sized, TRANSFER } from '../resource.js';

/** The device that is probed. */
export interface ProbeSubject {
  readonly device: NativeDevice;
  readonly info: DeviceInfo;
  readonly driver: DriverCapabilities;
  /** Bytes of each memory that a probe allocates. */
  readonly size: bigint;
  /**
   * The handle types, as bits, for which the driver requires memory dedicated to a buffer (DEDICATED_ONLY).
   */
  readonly dedicatedOnly: number;
  /** Memory types for the probes' memories; undefined if no type is suitable. */
  readonly types: {
    readonly opaqueFd: number | undefined;
    readonly dmaBuf: number | undefined;
    readonly mappedDmaBuf: number | undefined;
    readonly memfd: number | undefined;
    readonly rdma: number | undefined;
  };
  /** Set once the memfd probe has succeeded: samples are memfds from then on. */
  memfdWorks: boolean;
  /** Set once an opaque fd was exported: the type of its file. */
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

/** The buffer that memory of the handle types must be dedicated to; undefined if the driver requires none. */
export function dedicationOf(subject: ProbeSubject, handleTypes: number): NativeResource | undefined {
  return (subject.dedicatedOnly & handleTypes) === 0 ? undefined : sized(TRANSFER, subject.size);
}

/**
 * Returns undefined for an allocation that failed with DEVICE_OUT_OF_MEMORY, and throws every other error: a
 * device that has no memory left when it is opened may still support the kind.
 */
export function undefinedIfFull(error: unknown): undefined {
  if (!(error instanceof VkmemError) || error.code !== 'DEVICE_OUT_OF_MEMORY') throw error;
}

/** Frees a probe's memory, for a DisposableStack. @throws VkmemError if the driver fails. */
export function free(memory: NativeMemory): Promise<void> {
  return native(memory.free());
}

/** A memfd imported by the device, and a mapping of it like that of a client. */
export class HostSample implements Sample {
  readonly memory: NativeMemory;
  readonly #mapping: Mapping;
  readonly #held: AsyncDisposableStack;

  /** @param held Taken: the resources that the sample disposes of. */
  private constructor(memory: NativeMemory, mapping: Mapping, held: AsyncDisposableStack) {
    this.memory = memory;
    this.#mapping = mapping;
    this.#held = held;
  }

  /**
   * @param handleTypes The handle types that the memory is also exportable as.
   * @throws VkmemError if the kernel or the driver fails; nothing stays allocated then.
   */
  static async make(subject: ProbeSubject, handleTypes: number): Promise<HostSample> {
    const { device, size } = subject;
    const memoryTypeIndex = subject.types.memfd ?? 0;
    const plan = { size, memoryTypeIndex, handleTypes };
    await using held = new AsyncDisposableStack();
    const { memory, memfd } = await allocateMappable(device, plan, 'vkmemd-probe');
    held.adopt(memory, free);
    held.use(memfd);
    using client = reopenMemfd(memfd, 'rw', 'probe:MAPPABLE');
    const mapping = held.use(mapFd(client, { offset: 0n, length: Number(size), access: 'rw' }));
    return new HostSample(memory, mapping, held.move());
  }

  get bytes(): ArrayBuffer {
    return this.#mapping.buffer;
  }

  async holds(pattern: number): Promise<boolean> {
    return words(this.bytes).every((word) => word === pattern);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#held.disposeAsync();
  }
}

/** Host-visible, coherent memory that the driver allocated. */
class VisibleSample implements Sample {
  readonly memory: NativeMemory;

  constructor(memory: NativeMemory) {
    this.memory = memory;
  }

  async holds(pattern: number): Promise<boolean> {
    return words(await native(this.memory.read(0n, this.memory.size))).every((word) => word === pattern);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return free(this.memory);
  }
}

/** Memory that the device can copy into and this process can read; undefined if no memory type allows it. */
export async function readable(subject: ProbeSubject): Promise<Sample | undefined> {
  const { device, info, size, driver, memfdWorks } = subject;
  if (memfdWorks) return HostSample.make(subject, 0);
  const index = typeFor(info, ['MAPPABLE'], driver.transferBits);
  return index === undefined ? undefined : new VisibleSample(await native(device.allocate(size, index, 0)));
}
