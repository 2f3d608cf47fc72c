/**
 * A pattern in which every word depends on its writer, its position and the number of the write, so that a
 * wrong word is detected.
 *
 * A block is 4096 bytes: the number of the write, its writer, a tag of the allocation, and words derived from
 * these and from the position. A reader in another process may read during a write: the number is 0 then; if
 * it differs after reading, the block was written meanwhile.
 */

const BLOCK_WORDS = 1024;
const HEADER_WORDS = 3;

/** The header of a block. */
export interface Block {
  readonly writing: number;
  readonly writer: number;
  readonly tag: number;
}

/** A view on whole blocks. */
export const wordsOf = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);

export const blocksOf = (words: Int32Array): number => words.length / BLOCK_WORDS;

/** The seed of the words of a block. */
const seedOf = (at: number, { writing, writer, tag }: Block): number =>
  Math.imul(at + 1, 0x9e3779b1) ^ Math.imul(writing, 0x85ebca6b) ^ Math.imul(writer + 1, 0xc2b2ae35) ^ tag;

const following = (state: number): number => (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;

/** Writes block `at`. @param block its `writing` must not be 0. */
export function writeBlock(words: Int32Array, at: number, block: Block): void {
  const from = at * BLOCK_WORDS;
  Atomics.store(words, from, 0);
  Atomics.store(words, from + 1, block.writer);
  Atomics.store(words, from + 2, block.tag);
  let state = seedOf(at, block);
  for (let word = from + HEADER_WORDS; word < from + BLOCK_WORDS; word += 1) {
    state = following(state);
    words[word] = state;
  }
  Atomics.store(words, from, block.writing);
}

/** The number of words of block `at` that are wrong. */
export function wrongWords(words: Int32Array, at: number, block: Block): number {
  return wrongIn(words.subarray(at * BLOCK_WORDS, (at + 1) * BLOCK_WORDS), at, block);
}

/**
 * The same for a block that another process may be writing, for any write; undefined while it is being
 * written.
 */
export function wrongWordsOfOther(
  words: Int32Array,
  at: number,
  writer: number,
  tag: number,
): number | undefined {
  const from = at * BLOCK_WORDS;
  const writing = Atomics.load(words, from);
  const copy = words.slice(from, from + BLOCK_WORDS);
  if (writing === 0 || Atomics.load(words, from) !== writing) return undefined;
  return wrongIn(copy, at, { writing, writer, tag });
}

function wrongIn(words: Int32Array, at: number, block: Block): number {
  const { writing, writer, tag } = block;
  let wrong = [writing, writer, tag].filter((word, index) => words[index] !== word).length;
  let state = seedOf(at, block);
  for (let word = HEADER_WORDS; word < BLOCK_WORDS; word += 1) {
    state = following(state);
    if (words[word] !== state) wrong += 1;
  }
  return wrong;
}
