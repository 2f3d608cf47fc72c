/**
 * Small memories that a probe can look into: what the device wrote, seen by this process.
 *
 * A HostSample is MAPPABLE memory, seen as a client would see it: through a mapping of the memfd reopened, not
 * through the mapping that the driver imported. A VisibleSample is memory of the driver's own, read by
 * vkMapMemory, for devices without MAPPABLE. Both are disposed of by `await using`.
 */
import { mapFd, type OwnedFd, reopenMemfd } from '@vkmemd/proto';
import { native } from './errors.js';
import { allocateMappable } from './mappable.js';
import type { MemoryPlan } from './memory-types.js';
import type { NativeDevice, NativeMemory } from './native.js';

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

  /** @throws VkmemError as the kernel or the driver fails; nothing is kept then. */
  static async make(device: NativeDevice, size: bigint, plan: MemoryPlan): Promise<HostSample> {
    const { memory, memfd } = await allocateMappable(device, size, plan, 'vkmemd-probe');
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
export class VisibleSample implements Sample {
  readonly memory: NativeMemory;

  private constructor(memory: NativeMemory) {
    this.memory = memory;
  }

  static async make(device: NativeDevice, size: bigint, memoryTypeIndex: number): Promise<VisibleSample> {
    return new VisibleSample(await native(device.allocate(size, memoryTypeIndex, 0)));
  }

  async holds(pattern: number): Promise<boolean> {
    return words(await native(this.memory.read(0n, this.memory.size))).every((word) => word === pattern);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await native(this.memory.free());
  }
}
