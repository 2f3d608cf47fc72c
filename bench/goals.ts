/** A goal: a bound of a figure. */

export interface Bound {
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** Such as `<= 4 x`. */
export const boundText = ({ atMost, atLeast }: Bound, unit: string): string =>
  atMost === undefined ? `>= ${atLeast} ${unit}` : `<= ${atMost} ${unit}`;

export const isMet = ({ atMost = Infinity, atLeast = -Infinity }: Bound, value: number): boolean =>
  value <= atMost && value >= atLeast;
