/**
 * MemoryMap: a window of an allocation in this process's address space.
 *
 * A mapping begins at a page, a window wherever its user wants: `buffer` holds the whole pages, `bytes` is
 * the window in it. After unmap() both have length 0, and so has every view that was made of the buffer: an
 * element read is undefined, one written is lost, a method such as set() throws TypeError, and nothing can
 * fault. What another process or the device writes shows at once; nothing here orders it, so synchronise by
 * other means when bytes are complete.
 *
 * Where the memory is a dma-buf (`dmaBufSync` of its grant) the device's writes and this process's pass each
 * other only at set moments: map(), sync() and unmap(). Call sync() after writing and before the device or
 * another process is asked to read, and after they have written and before reading here; it may wait for what
 * the device is doing. On any other memory sync() does nothing, so a program that calls it is right on every
 * device.
 */
import type { CpuAccess, Mapping } from '@vkmemd/proto';

export class MemoryMap implements Disposable {
  /** Where the window begins in the allocation, in bytes. */
  readonly offset: bigint;
  /** The window; length 0 once unmapped. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #mapping: Mapping;
  readonly #access: CpuAccess | undefined;
  readonly #onUnmap: (map: MemoryMap) => void;

  /**
   * Made by Memory.map().
   * @param mapping owned by the map from here.
   * @param access begun, for a dma-buf; ended at unmap().
   * @param window its length, and bytes of the mapping before it.
   * @param onUnmap called once, at unmap().
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

  /** The pages that hold the window, which begins at `bytes.byteOffset` of it; byteLength 0 once unmapped. */
  get buffer(): ArrayBuffer {
    return this.#mapping.buffer;
  }

  /** The window's length in bytes; 0 once unmapped. */
  get length(): number {
    return this.bytes.length;
  }

  get mapped(): boolean {
    return this.#mapping.mapped;
  }

  /**
   * On a dma-buf, makes what was written here reach the device, and what the device wrote be seen here. Does
   * nothing on memory that needs none, and once unmapped.
   * @throws VkmemError NOT_MAPPABLE where the driver fails; the bytes are then not to be relied on until it
   *   succeeds.
   */
  sync(): void {
    if (this.mapped) this.#access?.sync();
  }

  /**
   * Unmaps the window; does nothing the second time.
   * @throws VkmemError NOT_MAPPABLE where the driver of a dma-buf fails to end the access: it is unmapped,
   *   but what was written since the last sync() may not have reached the device.
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
