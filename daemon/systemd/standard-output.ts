/**
 * Standard output as the destination of a log, which never waits for its reader: MAX_BYTES are buffered, and
 * lines beyond them are dropped. The daemon and the supervisor both log to it.
 */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { type DestinationStream, pino } from 'pino';

const STANDARD_OUTPUT = 1;
const MAX_BYTES = 1 << 20;
const FLUSH_MS = 500;

export class StandardOutput implements DestinationStream, AsyncDisposable {
  readonly #destination = pino.destination({ dest: STANDARD_OUTPUT, sync: false, maxLength: MAX_BYTES });

  constructor() {
    // Standard output is closed (EPIPE): there is no other place to log that to, and it must not end the process.
    this.#destination.on('error', () => {});
  }

  write(line: string): void {
    this.#destination.write(line);
  }

  /** Ends the log; resolves when the buffer is written, or its reader has not read it for FLUSH_MS. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#destination, 'close').then(
      () => true,
      () => true,
    );
    this.#destination.end();
    if (await Promise.race([closed, setTimeout(FLUSH_MS, false)])) return;
    // Otherwise pino flushes the buffer at the process's exit, synchronously, and blocks on a reader that does not read.
    this.#destination.flushSync = () => {};
  }
}
