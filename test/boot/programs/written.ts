/** An allocation that a worker has mapped, and the number of its last write to each block. */
import type { Client, Memory, MemoryMap } from '@vkmemd/client';
import { blocksOf, wordsOf, writeBlock, wrongWords } from './pattern.js';

export interface WrittenOptions {
  /** '' for memory of the session. */
  readonly name: string;
  readonly bytes: number;
  readonly writer: number;
  readonly tag: number;
}

export class Written {
  readonly memory: Memory;
  readonly tag: number;
  readonly #map: MemoryMap;
  readonly #words: Int32Array;
  readonly #writer: number;
  /** The number of the last write to each block. */
  readonly #writings: number[];

  private constructor(memory: Memory, { writer, tag }: WrittenOptions) {
    this.memory = memory;
    this.tag = tag;
    this.#writer = writer;
    this.#map = memory.map();
    this.#words = wordsOf(this.#map.bytes);
    this.#writings = new Array(blocksOf(this.#words)).fill(0);
    for (let at = 0; at < this.blocks; at += 1) this.write(at);
  }

  /** Allocates it, and writes all of it. */
  static async allocate(client: Client, options: WrittenOptions): Promise<Written> {
    const { name, bytes } = options;
    const memory = await client.allocate({ size: bytes, ...(name && { name }) });
    return new Written(memory, options);
  }

  get blocks(): number {
    return this.#writings.length;
  }

  write(at: number): void {
    const writing = (this.#writings[at] ?? 0) + 1;
    this.#writings[at] = writing;
    writeBlock(this.#words, at, { writing, writer: this.#writer, tag: this.tag });
  }

  /** The number of words that differ from the last write. */
  get wrong(): number {
    const { tag } = this;
    return this.#writings.reduce(
      (sum, writing, at) => sum + wrongWords(this.#words, at, { writing, writer: this.#writer, tag }),
      0,
    );
  }

  /** Frees it. */
  async free(): Promise<void> {
    await this.memory.free();
  }
}
