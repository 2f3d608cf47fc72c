/**
 * Reproducible random values: an endless stream of bytes derived from a text, the same on every machine.
 *
 * The stream is that of a cipher (AES in counter mode, its key a hash of the text). fork() creates another
 * stream whose text names its purpose, so that the values drawn by one part of a run do not affect the
 * others.
 */
import { createCipheriv, createHash } from 'node:crypto';

export class Random {
  readonly #seed: string;
  readonly #stream: ReturnType<typeof createCipheriv>;

  constructor(seed: string) {
    this.#seed = seed;
    const key = createHash('sha256').update(seed).digest();
    this.#stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  }

  /** A separate stream, independent of how much was drawn from this one. */
  fork(purpose: string): Random {
    return new Random(`${this.#seed}/${purpose}`);
  }

  bytes(count: number): Buffer {
    return this.#stream.update(Buffer.alloc(count));
  }

  /** A whole number from 0 to below `bound`, which is at most 2^32. */
  below(bound: number): number {
    return this.bytes(6).readUIntBE(0, 6) % bound;
  }

  /** A whole number from `least` to `max`, both included. */
  between(least: number, max: number): number {
    return least + this.below(max - least + 1);
  }

  chance(share: number): boolean {
    return this.below(1_000_000) < share * 1_000_000;
  }

  /** @throws RangeError if the list is empty. */
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('nothing to pick from');
    return list[this.below(list.length)] as T;
  }

  /** One element of the list, with a probability proportional to its weight. */
  weighted<T extends { readonly weight: number }>(list: readonly T[]): T {
    let at = this.below(list.reduce((sum, { weight }) => sum + weight, 0));
    for (const one of list) {
      at -= one.weight;
      if (at < 0) return one;
    }
    throw new RangeError('nothing to pick from');
  }
}
