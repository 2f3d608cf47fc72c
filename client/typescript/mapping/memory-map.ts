/**
 * MemoryMap: a mapped window of an allocation.
 *
 * A mapping begins at a page boundary, a window at any byte: `buffer` has the whole pages, and `bytes` is the
 * window in it. After unmap() both have length 0, and so have all views of the buffer: an element that is
 * read is undefined, a write has no effect, a method such as set() throws a TypeError, and no access faults.
 * Writes of another process or of the device are visible at once. They are not ordered, so other means, such
 * as a Signal, must indicate when data is complete.
 *
 * If the memory is a dma-buf (`dmaBufSync` of its grant), the writes of the device and of this process become
 * visible to each other only at map(), sync() and unmap(). Call sync() after writing, before the device or
 * another process reads; and before reading, after they have written. It may wait for work of the device. For
 * any other memory sync() does nothing, so a program that calls it works on every device.
 */
import type { CpuAccess, Mapping } from '@vkmemd/proto';

/**
 * A mapped window of an allocation, from Memory.map(). It is unmapped by unmap(), by the release of its
 * Memory, and by the end of its client. For a dma-buf (`dmaBufSync` of the grant), call sync() between the
 * accesses of the CPU and of the device.
 */
export class MemoryMap implements Disposable {
  /** The start of the window in the allocation, in bytes. */
  readonly offset: bigint;
  /** The window. Length 0 after unmap(). */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #mapping: Mapping;
  readonly #access: CpuAccess | undefined;
  readonly #onUnmap: (map: MemoryMap) => void;

  /**
   * Created by Memory.map().
   * @param mapping Taken.
   * @param access For a dma-buf: the access, which has begun; unmap() ends it.
   * @param window The length of the window, and the bytes of the mapping before it.
   * @param onUnmap Called by unmap().
   * @internal
   */
  constructor(
    mapping: Mapping,
    access: CpuAccess | undefined,
    offset: bigint,
    window: { readonly lead: number; readonly length: number },
    onUnmap: (map: MemoryMap) => void,
  ) {
    this.#mapping = mapping;
    this.#access = access;
    this.#onUnmap = onUnmap;
    this.offset = offset;
    this.bytes = new Uint8Array(mapping.buffer, window.lead, window.length);
  }

  /** The pages that contain the window, which begins at `bytes.byteOffset`. byteLength 0 after unmap(). */
  get buffer(): ArrayBuffer {
    return this.#mapping.buffer;
  }

  /** The length of the window in bytes; 0 after unmap(). */
  get length(): number {
    return this.bytes.length;
  }

  /** Whether the window is mapped. */
  get mapped(): boolean {
    return this.#mapping.mapped;
  }

  /**
   * For a dma-buf: makes writes of this process visible to the device, and writes of the device visible here.
   * Does nothing for other memory, and after unmap().
   * @throws VkmemError NOT_MAPPABLE, with the errno, if the driver fails. Do not rely on the bytes until a
   *   sync() succeeds.
   */
  sync(): void {
    if (this.mapped) this.#access?.sync();
  }

  /**
   * Unmaps the window. Does nothing if it is unmapped.
   * @throws VkmemError NOT_MAPPABLE, with the errno, if the driver of a dma-buf fails to end the access. The
   *   window is unmapped, but writes since the last sync() may not be visible to the device.
   */
  unmap(): void {
    try {
      this.#access?.end();
    } finally {
      this.#mapping.unmap();
      this.#onUnmap(this);
    }
  }

  [Symbol.dispose](): void {
    this.unmap();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.unmap();
  }
}
