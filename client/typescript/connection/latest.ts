/**
 * The values of a stream: the newest, for states, of which only the last is true; or each, for events.
 *
 * For the newest the stream is read as fast as it comes, however slow the consumer is; what another has
 * replaced by the time that the consumer is ready is never seen by it. So nothing piles up, here or on the
 * way. For each it is read as the consumer takes it: what it does not take waits on the way, and in the end
 * with the daemon.
 */
import type { Readable } from 'node:stream';

/** Ends with the stream, or fails as it does. Does not end the stream. */
export async function* latestOf<T>(stream: Readable): AsyncGenerator<T, void, undefined> {
  let newest: { readonly value: T } | undefined;
  let ended = false;
  let failure: { readonly reason: unknown } | undefined;
  let wake = (): void => {};
  stream.on('data', (value: T) => {
    newest = { value };
    wake();
  });
  stream.once('end', () => {
    ended = true;
    wake();
  });
  stream.once('error', (reason) => {
    failure = { reason };
    wake();
  });
  for (;;) {
    if (newest) {
      const { value } = newest;
      newest = undefined;
      yield value;
    } else if (failure) {
      throw failure.reason;
    } else if (ended) {
      return;
    } else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}

/** All of it, in order. Ends with the stream, or fails as it does. */
export async function* eachOf<T>(stream: Readable): AsyncGenerator<T, void, undefined> {
  for await (const value of stream) yield value as T;
}
