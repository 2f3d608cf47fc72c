/** Why something failed, in one line. */

/** The first line of what failed first: a failure to clean up may be its consequence. */
export function reasonOf(failure: unknown): string {
  if (failure instanceof Error && 'suppressed' in failure) return reasonOf(failure.suppressed);
  return (failure instanceof Error ? failure.message : String(failure)).split('\n')[0]?.slice(0, 300) ?? '';
}
