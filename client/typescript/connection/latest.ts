/**
 * The values of a stream: only the newest, for a stream of states, or each, for a stream of events.
 *
 * latestOf() reads the stream as fast as it arrives, even if the consumer is slow. The consumer receives the
 * newest value when it is ready, and skips the ones before. So no values accumulate, neither here nor in the
 * socket. eachOf() reads a value when the consumer is ready for it. Values that the consumer does not read
 * accumulate in the socket, and then in the daemon.
 */
import type { Readable } from 'node:stream';

/**
 * The newest value each time. Ends when the stream ends, and fails when it fails. Does not end the stream.
 */
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

/** All values, in order. Ends when the stream ends, and fails when it fails. */
export async function* eachOf<T>(stream: Readable): AsyncGenerator<T, void, undefined> {
  for await (const value of stream) yield value as T;
}
