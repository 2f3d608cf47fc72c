/**
 * MemoryMap: a window of an allocation in this process's address space.
 *
 * A mapping begins at a page, a window wherever its user wants: `buffer` holds the whole pages, `bytes` is the window
 * in it. After unmap() both have length 0, and so has every view that was made of the buffer: an element read is
 * undefined, one written is lost, a method such as set() throws TypeError, and nothing can fault. What another process
 * or the device writes shows at once; nothing here orders it, so tell each other by other means when bytes are
 * complete.
 */
import type { Mapping } from '@vkmemd/proto';

export class MemoryMap implements Disposable {
  /** Where the window begins in the allocation, in bytes. */
  readonly offset: bigint;
  /** The window; length 0 once unmapped. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #mapping: Mapping;
  readonly #gone: (map: MemoryMap) => void;

  /**
   * Made by Memory.map().
   * @param mapping owned by the map from here.
   * @param lead bytes of the mapping before the window.
   * @param gone called once, at unmap().
   */
  constructor(
    mapping: Mapping,
    offset: bigint,
    window: { readonly lead: number; readonly length: number },
    gone: (map: MemoryMap) => void,
  ) {
    this.#mapping = mapping;
    this.#gone = gone;
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

  /** Takes the window away; does nothing the second time. */
  unmap(): void {
    this.#mapping.unmap();
    this.#gone(this);
  }

  [Symbol.dispose](): void {
    this.unmap();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.unmap();
  }
}
