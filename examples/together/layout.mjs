/**
 * What the writer and the reader agree on: the name of the memory and what is where in it. Offsets are in
 * bytes.
 */
export const NAME = 'together-example';
export const SIZE = 4096;
/** Messages that the writer sends. The last one is empty. */
export const MESSAGES = ['one', 'two', 'three', ''];

/** A 32-bit word: 0 before the secret of the signal is there. */
const STATE = 0;
const SECRET = 64;
const TEXT = 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The memory as both programs use it. @param map of Memory.map(). */
export class Layout {
  #bytes;
  #words;

  constructor({ bytes, buffer }) {
    this.#bytes = bytes;
    this.#words = new Int32Array(buffer);
  }

  set secret(text) {
    this.#write(SECRET, text);
    Atomics.store(this.#words, STATE, 1);
  }

  /** Undefined before the writer has set it. */
  get secret() {
    return Atomics.load(this.#words, STATE) === 1 ? this.#read(SECRET) : undefined;
  }

  set text(text) {
    this.#write(TEXT, text);
  }

  get text() {
    return this.#read(TEXT);
  }

  #write(at, text) {
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(at + 1));
    this.#bytes[at] = written;
  }

  #read(at) {
    return decoder.decode(this.#bytes.subarray(at + 1, at + 1 + this.#bytes[at]));
  }
}
