/**
 * Commands that run until they are interrupted, or until standard output is closed.
 */

/** Runs `work` with a signal that aborts at SIGINT, or when standard output is closed. */
export async function untilInterrupted(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const enough = new AbortController();
  const stop = () => enough.abort();
  process.once('SIGINT', stop);
  process.stdout.once('error', stop);
  try {
    await work(enough.signal);
  } finally {
    process.removeListener('SIGINT', stop);
    process.stdout.removeListener('error', stop);
  }
}
