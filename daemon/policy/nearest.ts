/**
 * Finds the known word that an unknown word probably misspells.
 */

/** The edit distance that counts a swap of neighbours as one edit (optimal string alignment). */
function distance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      const cost = (costs: readonly number[], at: number) => costs[at] ?? Infinity;
      let best = Math.min(
        cost(last, column) + 1,
        cost(current, column - 1) + 1,
        cost(last, column - 1) + (same ? 0 : 1),
      );
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) best = Math.min(best, cost(beforeLast, column - 2) + 1);
      current.push(best);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? Infinity;
}

/** Only letters and digits, in lower case, so that 'Max-Bytes' and 'max_bytes' are equal. */
const plain = (word: string): string => word.toLowerCase().replace(/[^a-z0-9]/g, '');

/** The most similar known word; undefined if none is similar enough. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  // It is longer than every known word and cannot be similar; the cost of comparing grows with its length.
  if (word.length > 40) return undefined;
  const [best] = known
    .map((candidate) => ({ candidate, far: distance(plain(word), plain(candidate)) }))
    .filter(({ candidate, far }) => far <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.far - b.far);
  return best?.candidate;
}

/** ' Did you mean x?', to follow an unknown word; '' if no known word is similar. */
export function meant(word: string, known: readonly string[]): string {
  const found = nearest(word, known);
  return found === undefined ? '' : ` Did you mean ${found}?`;
}
