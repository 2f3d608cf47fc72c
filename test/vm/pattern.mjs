/**
 * The pattern and the sum with which a guest and a worker verify memory: the pattern depends on a seed and
 * repeats on no page; the sum changes with any changed word, and nearly always when two words are swapped.
 * test/vm/guest/init.c has the same; neither is secure.
 */

/** Of FNV-1a, for 32 bits. Odd, so that multiplication loses no bit. */
const PRIME = 0x0100_0193;

/** Fills 32-bit words from a seed that is not 0 (xorshift32). */
export function fill(words, seed) {
  let state = seed;
  for (let at = 0; at < words.length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
}

/**
 * The sum of an even number of 32-bit words, as 16 hexadecimal digits: one half for the even, one for the odd
 * words.
 */
export function sum(words) {
  let even = 1;
  let odd = 2;
  for (let at = 0; at < words.length; at += 2) {
    even = Math.imul(even ^ words[at], PRIME);
    odd = Math.imul(odd ^ words[at + 1], PRIME);
  }
  return [odd, even].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}
