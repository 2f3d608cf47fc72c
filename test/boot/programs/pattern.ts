/**
 * Pattern: bytes of which every word says whose they are, where, and of which writing; what is wrong shows.
 *
 * A block is 4096 bytes: the number of its writing, its writer, a tag of the allocation, and words that
 * follow from these and from where it is. A reader in another process may come while it is written: the
 * number is 0 then, and where it is another one after reading, the block was written meanwhile.
 */

const BLOCK_WORDS = 1024;
const HEADER_WORDS = 3;

/** What a block says that it is. */
export interface Block {
  readonly writing: number;
  readonly writer: number;
  readonly tag: number;
}

/** A view on whole blocks. */
export const wordsOf = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);

export const blocksOf = (words: Int32Array): number => words.length / BLOCK_WORDS;

/** What the words of a block begin with. */
const seedOf = (at: number, { writing, writer, tag }: Block): number =>
  Math.imul(at + 1, 0x9e3779b1) ^ Math.imul(writing, 0x85ebca6b) ^ Math.imul(writer + 1, 0xc2b2ae35) ^ tag;

const following = (state: number): number => (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;

/** Writes block `at`. @param block whose `writing` is not 0. */
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

/** How many words of block `at` are not as they should be. */
export function wrongWords(words: Int32Array, at: number, block: Block): number {
  return wrongIn(words.subarray(at * BLOCK_WORDS, (at + 1) * BLOCK_WORDS), at, block);
}

/**
 * The same of a block that another process may be writing, whatever writing it is of; undefined while it is
 * at it.
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
