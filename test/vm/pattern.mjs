/**
 * What a guest and a worker check memory by: a pattern that a seed makes, no page of which is like another, and a sum that
 * any changed word changes, and two words that changed places too, nearly always. test/vm/guest/init.c has the same; neither has a use
 * for security.
 */

/** Of FNV-1a, for 32 bits. Odd, so that no bit is lost by multiplying. */
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

/** The sum of an even number of 32-bit words, as 16 hexadecimal digits: one half of every other word. */
export function sum(words) {
  let even = 1;
  let odd = 2;
  for (let at = 0; at < words.length; at += 2) {
    even = Math.imul(even ^ words[at], PRIME);
    odd = Math.imul(odd ^ words[at + 1], PRIME);
  }
  return [odd, even].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}
