/**
 * Nearest: which of the known words somebody probably meant who wrote an unknown one.
 */

/** How many letters must be put in, left out, changed, or swapped with their neighbour to make one word the other. */
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

/** Letters and digits in lower case: 'Max-Bytes' is meant for 'max_bytes'. */
const plain = (word: string): string => word.toLowerCase().replace(/[^a-z0-9]/g, '');

/** The known word that is near enough to be meant; undefined where none is. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  // A word much longer than all of these is near none, and comparing costs its length.
  if (word.length > 40) return undefined;
  const [best] = known
    .map((candidate) => ({ candidate, far: distance(plain(word), plain(candidate)) }))
    .filter(({ candidate, far }) => far <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.far - b.far);
  return best?.candidate;
}

/** 'did you mean "x"?' after an unknown word; nothing where no known one is near. */
export function meant(word: string, known: readonly string[]): string {
  const found = nearest(word, known);
  return found === undefined ? '' : ` Did you mean ${found}?`;
}
