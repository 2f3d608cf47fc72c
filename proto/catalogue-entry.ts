/**
 * What the catalogue says of a code: how it travels, what it means, what to do about it.
 */
/** One line of the catalogue. */
export interface CatalogueEntry {
  readonly grpc: number;
  readonly sentence: string;
  readonly next: string;
}

export const entry = (grpc: number, sentence: string, next: string): CatalogueEntry => ({
  grpc,
  sentence,
  next,
});
